"""LiteLLM as a client, over the OpenAI or the Anthropic API: job["over"]."""
import json

import litellm
from job import ANSWER_SCHEMA, KEY, MESSAGES, MODEL, TOKENS, TOOL, TOOL_NAME, URL, first, job, run

OPENAI = job["over"] == "openai"
COMMON = {"model": job["over"] + "/" + MODEL, "api_base": URL + "/v1" if OPENAI else URL, "api_key": KEY, "num_retries": 0,
          "max_retries": 0}
ASK = COMMON | {"messages": MESSAGES, "max_tokens": TOKENS, "temperature": 0}


def chat():
    answer = litellm.completion(**ASK)
    return {"text": answer.choices[0].message.content, "usage": answer.usage.completion_tokens}


def stream():
    pieces = [piece.choices[0].delta.content for piece in litellm.completion(**ASK, stream=True)]
    return {"text": "".join(p or "" for p in pieces), "pieces": len([p for p in pieces if p])}


def cancel():
    pieces = litellm.completion(**ASK, stream=True)
    return {"pieces": len(first(pieces, 5, getattr(pieces.completion_stream, "close", lambda: None)))}


def tools():
    answer = litellm.completion(**ASK, tools=[TOOL], tool_choice={"type": "function", "function": {"name": TOOL_NAME}})
    [call] = answer.choices[0].message.tool_calls
    return {"call": call.function.name, "arguments": json.loads(call.function.arguments)}


def schema():
    form = {"type": "json_schema", "json_schema": {"name": "Answer", "schema": ANSWER_SCHEMA, "strict": True}}
    return {"object": json.loads(litellm.completion(**ASK, response_format=form).choices[0].message.content)}


def embeddings():
    return {"vectors": [item["embedding"] for item in litellm.embedding(**COMMON, input=["one", "two"]).data]}


run(chat=chat, stream=stream, cancel=cancel, tools=tools, schema=schema, embeddings=embeddings)
