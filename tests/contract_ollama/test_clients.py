"""The official client, leaving in the middle, and waiting for a slot."""

import json
from collections.abc import Iterator

import httpx
import ollama
import pytest

from contract_ollama.server import Server, lines, shape

LONG_STORY = "Tell me a very long story."
LONG = {"num_predict": 3000}


@pytest.fixture
def client(server: Server) -> Iterator[ollama.Client]:
    """The official client, as its users make it."""
    made = ollama.Client(server.url, timeout=60.0)
    with made:
        yield made


def test_the_official_client_reads_every_answer(server: Server, client: ollama.Client) -> None:
    """Chat and generate, streamed and whole, list, ps and show."""
    options = {"temperature": 0, "num_predict": 16}
    question = [{"role": "user", "content": "What is the capital of France?"}]
    whole = client.chat(server.model, question, options=options)
    streamed = list(client.chat(server.model, question, stream=True, options=options))
    story = client.generate(server.model, "Once", options=options)

    assert "Paris" in (whole.message.content or "")
    assert "".join(each.message.content or "" for each in streamed) == whole.message.content
    assert streamed[-1].done
    assert story.eval_count
    assert [each.model for each in client.list().models] == [server.model]
    assert [each.model for each in client.ps().models] == [server.model]
    assert "completion" in (client.show(server.model).capabilities or [])


def test_the_official_client_raises_the_servers_words(client: ollama.Client) -> None:
    """Status and text reach the caller."""
    with pytest.raises(ollama.ResponseError, match="model 'nope' not found") as raised:
        client.chat("nope", [{"role": "user", "content": "x"}])

    assert raised.value.status_code == 404


def test_leaving_frees_the_slot(server: Server, http: httpx.Client) -> None:
    """With one slot a second request waits; when the first client leaves, the next is served."""
    with http.stream("POST", "/api/chat", json=server.chat(LONG_STORY, options=LONG)) as story:
        incoming = story.iter_lines()
        assert json.loads(next(incoming))["done"] is False
        with pytest.raises(httpx.ReadTimeout):
            http.post("/api/chat", json=server.chat(), timeout=0.5)
        assert json.loads(next(incoming))["done"] is False

    assert lines(http, "/api/chat", server.chat())[-1]["done"] is True


def test_leaving_while_it_waits_leaves_no_trace(server: Server, http: httpx.Client) -> None:
    """A request that was abandoned in the queue is not run later."""
    with http.stream("POST", "/api/chat", json=server.chat(LONG_STORY, options=LONG)) as story:
        # Held on to: an iterator that is thrown away closes the connection.
        incoming = story.iter_lines()
        next(incoming)
        for _ in range(3):
            with pytest.raises(httpx.ReadTimeout):
                http.post("/api/chat", json=server.chat(LONG_STORY, options=LONG), timeout=0.2)
        assert json.loads(next(incoming))["done"] is False
    final = lines(http, "/api/chat", server.chat())[-1]

    # Three abandoned stories would have taken many seconds.
    waited_ns = final["total_duration"] - final["eval_duration"] - final["prompt_eval_duration"]
    assert waited_ns < 5_000_000_000


def test_openai_streams_end_with_done(server: Server, http: httpx.Client) -> None:
    """Server-sent events: deltas, a finish reason, usage if asked for, `[DONE]`."""
    body = {
        "model": server.model,
        "messages": [{"role": "user", "content": LONG_STORY}],
        "max_tokens": 4,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    with http.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.headers["content-type"] == "text/event-stream"
        *events, end = (line[6:] for line in response.iter_lines() if line.startswith("data: "))
    chunks = [json.loads(event) for event in events]

    assert end == "[DONE]"
    assert {each["object"] for each in chunks} == {"chat.completion.chunk"}
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert chunks[-1]["choices"] == []
    expected = {"prompt_tokens": int, "completion_tokens": int, "total_tokens": int}
    assert shape(chunks[-1]["usage"]) == expected


def test_openai_answers_whole(server: Server, http: httpx.Client) -> None:
    """One `chat.completion` object."""
    messages = [{"role": "user", "content": LONG_STORY}]
    body = {"model": server.model, "messages": messages, "max_tokens": 4}
    answer = http.post("/v1/chat/completions", json=body).json()

    assert answer["object"] == "chat.completion"
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "length"
    assert shape(choice["message"]) == {"role": str, "content": str}
    assert answer["usage"]["completion_tokens"] == 4
