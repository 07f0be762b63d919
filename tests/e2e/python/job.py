"""What the client scripts share: one job in, as JSON in the first argument; one object out. A script is run by the Python
of its client's own folder: python langchain.py '{"verb":"stream","url":...}'."""
import json
import sys

job = json.loads(sys.argv[1])
URL, MODEL, KEY, QUESTION, TOKENS = (job[name] for name in ("url", "model", "key", "question", "tokens"))

TOOL_NAME = "get_weather"
TOOL_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": TOOL_NAME, "description": "The weather of a city", "parameters": TOOL_SCHEMA}}
ANSWER_SCHEMA = {"title": "Answer", "type": "object", "properties": {"capital": {"type": "string"}}, "required": ["capital"],
                 "additionalProperties": False}
MESSAGES = [{"role": "user", "content": QUESTION}]


def first(pieces, count, close):
    """The first pieces of a stream, which is then left."""
    found = []
    for piece in pieces:
        found.append(piece)
        if len(found) == count:
            break
    close()
    return found


def run(**verbs):
    try:
        result = verbs[job["verb"]]()
    except Exception as error:  # what a program that uses the client would catch: its class and its words
        result = {"error": {"name": type(error).__name__, "status": getattr(error, "status_code", None), "message": str(error)}}
    print(json.dumps(result))
