"""LlamaIndex with its OpenAI-like model."""
from job import KEY, MODEL, QUESTION, TOKENS, TOOL_NAME, URL, first, run
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

llm = OpenAILike(model=MODEL, api_base=URL + "/v1", api_key=KEY, is_chat_model=True, is_function_calling_model=True,
                 should_use_structured_outputs=True, temperature=0, max_tokens=TOKENS, max_retries=0)
ASK = [ChatMessage(role="user", content=QUESTION)]


class Answer(BaseModel):
    capital: str


def chat():
    answer = llm.chat(ASK)
    return {"text": answer.message.content, "usage": answer.raw.usage.completion_tokens}


def stream():
    pieces = [piece.delta for piece in llm.stream_chat(ASK)]
    return {"text": "".join(p or "" for p in pieces), "pieces": len([p for p in pieces if p])}


def cancel():
    pieces = llm.stream_chat(ASK)
    return {"pieces": len(first(pieces, 5, pieces.close))}


def get_weather(city: str) -> str:
    """The weather of a city"""
    return f"sunny in {city}"


def tools():
    answer = llm.chat_with_tools([FunctionTool.from_defaults(get_weather, name=TOOL_NAME)],
                                 user_msg="What is the weather in Paris?", tool_required=True)
    [call] = llm.get_tool_calls_from_response(answer)
    return {"call": call.tool_name, "arguments": call.tool_kwargs}


def schema():
    return {"object": llm.as_structured_llm(Answer).chat(ASK).raw.model_dump()}


def embeddings():
    made = OpenAILikeEmbedding(model_name=MODEL, api_base=URL + "/v1", api_key=KEY, max_retries=0)
    return {"vectors": made.get_text_embedding_batch(["one", "two"])}


run(chat=chat, stream=stream, cancel=cancel, tools=tools, schema=schema, embeddings=embeddings)
