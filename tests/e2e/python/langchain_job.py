"""LangChain's chat models of three packages: job["over"] is openai, anthropic or ollama."""
from job import ANSWER_SCHEMA, KEY, MODEL, QUESTION, TOKENS, TOOL, TOOL_NAME, URL, first, job, run

if job["over"] == "openai":
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings
    llm = ChatOpenAI(model=MODEL, base_url=URL + "/v1", api_key=KEY, temperature=0, max_tokens=TOKENS, max_retries=0)
elif job["over"] == "anthropic":
    from langchain_anthropic import ChatAnthropic
    llm = ChatAnthropic(model=MODEL, base_url=URL, api_key=KEY, temperature=0, max_tokens=TOKENS, max_retries=0)
else:
    from langchain_ollama import ChatOllama, OllamaEmbeddings
    llm = ChatOllama(model=MODEL, base_url=URL, temperature=0, num_predict=TOKENS)


def chat():
    answer = llm.invoke(QUESTION)
    return {"text": answer.text, "usage": answer.usage_metadata["output_tokens"]}


def stream():
    pieces = [piece.text for piece in llm.stream(QUESTION)]
    return {"text": "".join(pieces), "pieces": len([p for p in pieces if p])}


def cancel():
    pieces = llm.stream(QUESTION)
    return {"pieces": len(first(pieces, 5, pieces.close))}


def tools():
    [call] = llm.bind_tools([TOOL], tool_choice=TOOL_NAME).invoke("What is the weather in Paris?").tool_calls
    return {"call": call["name"], "arguments": call["args"]}


def schema():
    return {"object": llm.with_structured_output(ANSWER_SCHEMA, method="json_schema").invoke(QUESTION)}


def embeddings():
    made = OpenAIEmbeddings(model=MODEL, base_url=URL + "/v1", api_key=KEY, check_embedding_ctx_length=False, max_retries=0) \
        if job["over"] == "openai" else OllamaEmbeddings(model=MODEL, base_url=URL)
    return {"vectors": made.embed_documents(["one", "two"])}


run(chat=chat, stream=stream, cancel=cancel, tools=tools, schema=schema, embeddings=embeddings)
