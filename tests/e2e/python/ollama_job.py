"""Ollama's own client for Python."""
import json

import ollama
from job import ANSWER_SCHEMA, KEY, MESSAGES, MODEL, TOKENS, TOOL, URL, first, run

client = ollama.Client(host=URL, headers={"Authorization": f"Bearer {KEY}"})
ASK = {"model": MODEL, "messages": MESSAGES, "options": {"temperature": 0, "num_predict": TOKENS}}


def chat():
    answer = client.chat(**ASK)
    return {"text": answer.message.content, "usage": answer.eval_count}


def stream():
    pieces = [piece.message.content for piece in client.chat(**ASK, stream=True)]
    return {"text": "".join(pieces), "pieces": len([p for p in pieces if p])}


def cancel():
    pieces = client.chat(**ASK, stream=True)
    return {"pieces": len(first(pieces, 5, pieces.close))}


def tools():
    ask = ASK | {"messages": [{"role": "user", "content": "What is the weather in Paris?"}]}
    [call] = client.chat(**ask, tools=[TOOL]).message.tool_calls
    return {"call": call.function.name, "arguments": dict(call.function.arguments)}


def schema():
    return {"object": json.loads(client.chat(**ASK, format=ANSWER_SCHEMA).message.content)}


def embeddings():
    return {"vectors": [list(v) for v in client.embed(model=MODEL, input=["one", "two"]).embeddings]}


run(chat=chat, stream=stream, cancel=cancel, tools=tools, schema=schema, embeddings=embeddings)
