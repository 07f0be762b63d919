"""Embeddings with the official clients (B1, B2): a model that is configured for them serves both."""
import json
import math

import openai
import pytest

from clients import openai_client
from server import QUESTION, Kept


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def test_B1_openai_gets_vectors_in_both_encodings_and_they_verify(embedding, tmp_path):
    client, keeping = openai_client(embedding)
    texts = ["The cat sat on the mat.", "A cat is sitting on a mat.", "Quarterly revenue grew by nine percent."]
    packed = client.embeddings.create(model="smollm2", input=texts)  # the client asks for base64 and unpacks it
    assert b"base64" in keeping.request_body
    near, far = (cosine(packed.data[0].embedding, packed.data[i].embedding) for i in (1, 2))
    assert near > far
    plain = client.embeddings.create(model="smollm2", input=texts, encoding_format="float")
    assert [d.index for d in plain.data] == [0, 1, 2] and plain.usage.prompt_tokens > 10
    assert all(math.isclose(x, y, abs_tol=1e-6) for x, y in zip(packed.data[0].embedding, plain.data[0].embedding))
    kept = Kept(embedding, tmp_path / "float", keeping.request_body, plain.to_json())
    kept.assert_verifies()
    changed = json.loads(plain.to_json())
    changed["data"][1]["embedding"][0] += 1e-6
    kept.response.write_text(json.dumps(changed))
    kept.assert_fails()
    # What the client made of base64, as it is in its memory.
    packed = client.embeddings.create(model="smollm2", input=texts[:1])
    Kept(embedding, tmp_path / "base64", keeping.request_body, packed.to_json()).assert_verifies()


def test_B1_the_same_process_answers_chats(embedding):
    client, _ = openai_client(embedding)
    answer = client.chat.completions.create(model="smollm2", temperature=0, max_tokens=40,
                                            messages=[{"role": "user", "content": QUESTION}])
    assert "Paris" in answer.choices[0].message.content


def test_B2_a_model_that_is_not_configured_says_so(smol):
    client, _ = openai_client(smol)
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="smollm2", input="x")
    assert "--embeddings" in refused.value.message and refused.value.code == "model_not_capable"
    for extra in ({"input": [1, 2, 3]}, {"input": "x", "dimensions": 8}, {"input": ""}):
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(**{"model": "smollm2"} | extra)
