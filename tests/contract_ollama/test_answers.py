"""The shapes of chat and generate, streamed and whole."""

from itertools import pairwise
from typing import Any

import httpx
import pytest

from contract_ollama.server import HEAD, METRICS, Server, lines, parsed, shape

FINAL = HEAD | METRICS | {"done_reason": str}
CHAT = {"role": str, "content": str}


def test_a_chat_stream_is_chunks_and_one_final_object(server: Server, http: httpx.Client) -> None:
    """Each chunk has exactly model, created_at, message, done; the last one the metrics too."""
    *chunks, final = lines(http, "/api/chat", server.chat())

    assert chunks
    for chunk in chunks:
        assert shape(chunk) == HEAD | {"message": dict}
        assert shape(chunk["message"]) == CHAT
        assert chunk["done"] is False
        assert chunk["model"] == server.model
    assert shape(final) == FINAL | {"message": dict}
    assert final["message"] == {"role": "assistant", "content": ""}
    assert final["done"] is True


def test_a_generate_stream_is_chunks_and_one_final_object(
    server: Server, http: httpx.Client
) -> None:
    """The same with `response`, and a context at the end."""
    *chunks, final = lines(http, "/api/generate", server.generate())

    assert chunks
    for chunk in chunks:
        assert shape(chunk) == HEAD | {"response": str}
    assert shape(final) == FINAL | {"response": str, "context": list}
    assert final["response"] == ""


def test_a_raw_generate_ends_without_a_context(server: Server, http: httpx.Client) -> None:
    """`raw` prompts are continued as they stand."""
    final = lines(http, "/api/generate", server.generate(raw=True))[-1]

    assert shape(final) == FINAL | {"response": str}


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
def test_stream_is_the_default_and_whole_answers_say_the_same(
    server: Server, http: httpx.Client, path: str
) -> None:
    """At temperature 0 and one seed the whole answer is the streamed one, put together."""
    body = server.chat() if path == "/api/chat" else server.generate()
    streamed = "".join(text(each) for each in lines(http, path, body))
    response = http.post(path, json=body | {"stream": False})

    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert text(response.json()) == streamed
    more = {"message": dict} if path == "/api/chat" else {"response": str, "context": list}
    assert shape(response.json()) == FINAL | more


def test_the_model_knows_the_capital_of_france(server: Server, http: httpx.Client) -> None:
    """The smoke test that every part of the product uses."""
    body = server.chat(stream=False, options={"num_predict": 16})
    answer = http.post("/api/chat", json=body).json()

    assert "Paris" in answer["message"]["content"]
    assert answer["done_reason"] == "stop"


def test_num_predict_ends_an_answer_by_length(server: Server, http: httpx.Client) -> None:
    """The answer has that many tokens, and says why it ended."""
    body = server.chat("Tell me a long story.", options={"num_predict": 5})
    *chunks, final = lines(http, "/api/chat", body)

    assert final["done_reason"] == "length"
    assert final["eval_count"] == 5
    assert 1 <= len(chunks) <= 5


def test_a_stop_sequence_ends_an_answer_before_itself(server: Server, http: httpx.Client) -> None:
    """The sequence itself is not part of the answer."""
    body = server.chat(stream=False, options={"num_predict": 16, "stop": ["Paris"]})
    answer = http.post("/api/chat", json=body).json()

    assert "Paris" not in answer["message"]["content"]
    assert answer["done_reason"] == "stop"


def test_durations_add_up_and_times_do_not_go_back(server: Server, http: httpx.Client) -> None:
    """The parts are no longer than the whole; chunks are stamped in order."""
    answer = lines(http, "/api/chat", server.chat())
    final = answer[-1]
    parts = (final[key] for key in ("load_duration", "prompt_eval_duration", "eval_duration"))

    assert sum(parts) <= final["total_duration"]
    for earlier, later in pairwise(answer):
        assert parsed(earlier["created_at"]) <= parsed(later["created_at"])


def test_a_longer_prompt_counts_more_tokens(server: Server, http: httpx.Client) -> None:
    """`prompt_eval_count` counts the whole prompt, cached or not."""
    short, long = (
        lines(http, "/api/chat", server.chat("word " * count))[-1] for count in (10, 100)
    )

    assert short["prompt_eval_count"] + 60 <= long["prompt_eval_count"]


def text(chunk: dict[str, Any]) -> str:
    """What a chunk of either kind says."""
    found: str = chunk["message"]["content"] if "message" in chunk else chunk["response"]
    return found
