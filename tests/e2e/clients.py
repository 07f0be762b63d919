"""The official Python clients, each keeping the bytes that it sent and got."""
import anthropic
import httpx2 as httpx  # what openai and anthropic of these versions take
import openai


class Keeping(httpx.Client):
    """Keeps the last request's body and the last response."""

    def __init__(self):
        super().__init__(event_hooks={"request": [self.on_request], "response": [self.on_response]}, timeout=300)
        self.request_body = self.response = None

    def on_request(self, request):
        self.request_body = request.read()

    def on_response(self, response):
        self.response = response


def openai_client(server, key="none"):
    keeping = Keeping()
    return openai.OpenAI(base_url=server.url + "/v1", api_key=key, http_client=keeping, max_retries=0), keeping


def anthropic_client(server, key="none"):
    keeping = Keeping()
    return anthropic.Anthropic(base_url=server.url, api_key=key, http_client=keeping, max_retries=0), keeping


def lines(chunks):
    return "\n".join(c.to_json(indent=None) for c in chunks)
