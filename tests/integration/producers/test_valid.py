"""A producer that knows requirements.md and nothing else gets its answers."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from integration.producers.customer import (
    REQUEST,
    REQUESTS,
    Document,
    Producer,
    fresh_id,
    node_stream,
    request,
)
from orion_lab.stack import Stack

STREAMS = [REQUESTS, node_stream("pi-a")]


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("field", ["payload", "data"])
def test_the_callback_gets_one_valid_response(producer: Producer, stream: str, field: str) -> None:
    """One final, valid under the customer's schema, with the text and the timing metrics."""
    asked = request()
    REQUEST.validate(asked)
    entry = producer.add(asked, stream, field)

    answer = producer.wait(asked["callback"])

    assert (answer["request_id"], answer["model"]) == (asked["request_id"], asked["model"])
    assert answer["response"]
    assert "error" not in answer
    timings = ("prompt_tokens", "completion_tokens", "load_duration_ms", "total_duration_ms")
    assert all(isinstance(answer[name], int) for name in timings)
    assert producer.is_settled(entry, stream)
    assert len(producer.answers(asked["callback"])) == 1


MINIMAL = ("version", "request_id", "model", "messages", "timestamp", "source")


@pytest.mark.parametrize("stream", STREAMS)
def test_without_a_callback_the_answer_has_a_stream_of_its_own(
    producer: Producer, stream: str
) -> None:
    """The required fields alone: orion:inference:responses:{request_id}, which expires."""
    asked = {name: value for name, value in request().items() if name in MINIMAL}
    producer.add(asked, stream)

    own = f"orion:inference:responses:{asked['request_id']}"
    assert producer.wait(own)["response"]
    assert 0 < int(producer.store.ttl(own)) <= 3600


UNUSUAL: dict[str, Document] = {
    "unknown fields": {"mission": {"leg": 3}, "x-trace": [1, 2], "node": "pi-z"},
    "keep-alive 0": {"keep_alive_seconds": 0},
    "keep-alive written with a point": {"keep_alive_seconds": 600.0},
    "keep-alive of ages": {"keep_alive_seconds": 10**30},
    "id in capitals": {"request_id": fresh_id().upper()},
    "empty callback": {"callback": ""},
    "empty source": {"source": ""},
    "long source": {"source": "s" * 10_000},
    "lower-case date": {"timestamp": "2026-01-31t12:00:00.123456z"},
    "another time zone": {"timestamp": "2026-01-31T12:00:00+05:30"},
    "a board's year 1970": {"timestamp": "1970-01-01T00:00:00Z"},
    "every role": {
        "messages": [{"role": r, "content": r} for r in ("system", "user", "assistant", "user")]
    },
    "unknown fields of a message": {
        "messages": [{"role": "user", "content": "hello", "name": "ada", "weight": 0.5}]
    },
    "emoji and NUL in the text": {"messages": [{"role": "user", "content": "\U0001f916 \0 end"}]},
    "another prefix under responses": {"callback": "orion:inference:responses:navigation"},
}


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("name", UNUSUAL)
def test_what_the_schema_allows_is_answered(producer: Producer, name: str, stream: str) -> None:
    """Valid under the customer's schema: completed, whatever else it carries."""
    changes = dict(UNUSUAL[name])
    if name == "id in capitals":
        changes["request_id"] = fresh_id().upper()
    asked = request(**changes)
    if asked["callback"]:
        asked["callback"] += "" if "responses" not in asked["callback"] else fresh_id()[:7]
    REQUEST.validate(asked)
    producer.add(asked, stream)

    own = f"orion:inference:responses:{asked['request_id']}"
    answer = producer.wait(asked["callback"] or own)
    assert (answer["request_id"], answer.get("error")) == (asked["request_id"], None)
    assert answer["response"]


@pytest.mark.parametrize(
    "stream",
    # The planner gives boards 15 s to tell what they have.
    [pytest.param(REQUESTS, marks=pytest.mark.slow), node_stream("pi-a")],
)
def test_an_unknown_model_is_told(producer: Producer, stream: str) -> None:
    """A model that no board has: an error response that names it."""
    asked = request(model="no-such-model:7b")
    producer.add(asked, stream)

    answer = producer.wait(asked["callback"], within_s=25)
    assert "no-such-model:7b" in answer["error"]


WRONG_FOR_OLLAMA: dict[str, Document] = {
    "an option of a wrong type": {"options": {"temperature": "hot"}},
    "a load option of a wrong type": {"options": {"num_ctx": "large"}},
    "a negative context": {"options": {"num_ctx": -5}},
    "an image that is none": {"messages": [{"role": "user", "content": "x", "images": ["%%"]}]},
    "a tool without a name": {"tools": [{"type": "function"}]},
    "an embedding with wrong options": {"operation": "embed", "options": {"num_ctx": "large"}},
}


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("name", WRONG_FOR_OLLAMA)
def test_what_ollama_refuses_is_no_crash(producer: Producer, name: str, stream: str) -> None:
    """One final within moments; it is never taken for the death of a board, and none is tried
    three times over it."""
    asked = request(**WRONG_FOR_OLLAMA[name])
    producer.add(asked, stream)

    answer = producer.wait(asked["callback"])
    assert answer.get("error_code") != "crashed", answer
    record = f"orion:inference:req:{asked['request_id']}"
    assert producer.store.hget(record, "crashes") == b"0"


@pytest.mark.parametrize("stream", STREAMS)
def test_a_streaming_producer_gets_the_tokens_in_order(producer: Producer, stream: str) -> None:
    """`stream: true`: chunks whose text is that of the final, which comes last."""
    asked = request(stream=True, options={"num_predict": 8})
    producer.add(asked, stream)
    final = producer.wait(asked["callback"])

    entries = producer.entries(asked["callback"])
    chunks = [json.loads(f[b"payload"]) for _, f in entries if f[b"type"] == b"chunk"]
    assert [chunk["seq"] for chunk in chunks] == list(range(1, len(chunks) + 1))
    text = "".join(d.get("content", "") for chunk in chunks for d in chunk["deltas"])
    assert text == final["response"]
    assert entries[-1][1][b"type"] == b"final"


def test_the_gateway_finds_a_producers_request_by_its_id_as_written(
    system: Stack, producer: Producer
) -> None:
    """An id in capitals is found in capitals: by GET, and by its events."""
    asked = request(request_id=fresh_id().upper())
    producer.add(asked)
    answer = producer.wait(asked["callback"])

    one = f"{system.url}/v1/requests/{asked['request_id']}"
    assert system.http.get(one).json()["final"]["response"] == answer["response"]
    events = system.http.get(f"{one}/events")
    assert events.status_code == 200
    assert "event: final" in events.text


def test_energy_is_told_to_those_who_know_our_answers(system: Stack, producer: Producer) -> None:
    """In the answer and by its id; Ollama's clients notice nothing."""
    asked = request()
    producer.add(asked)
    answer = producer.wait(asked["callback"])
    told = system.http.get(f"{system.url}/v1/requests/{asked['request_id']}").json()["final"]
    chat = {"model": asked["model"], "messages": asked["messages"], "stream": False}
    plain = system.http.post(f"{system.url}/api/chat", json=chat)

    assert answer["joules"] >= 0
    assert (told["joules"], told["joules_source"]) == (answer["joules"], "modelled")
    assert plain.status_code == 200
    assert "joules" not in plain.text


def test_what_outsiders_add_to_an_answers_stream_breaks_nothing(
    system: Stack, producer: Producer
) -> None:
    """Entries of any shape in a request's own stream: looking at it and following it go on."""
    asked = request(callback="")
    own = f"orion:inference:responses:{asked['request_id']}"
    for payload in (b"", b"{", b"[]", b"7", b"\xff"):
        for kind in (b"final", b"chunk", b"\xff", b""):
            producer.add_fields({"type": kind, "payload": payload}, own)
    producer.add(asked)
    one = f"{system.url}/v1/requests/{asked['request_id']}"
    system.wait_until(lambda: producer.store.xlen(own) > 20, "the answer is there")
    producer.add_fields({"type": "final", "payload": b"{"}, own)

    assert system.http.get(one).json()["state"] == "COMPLETED"
    assert "event: final" in system.http.get(f"{one}/events").text


def test_a_clients_own_stream_is_left_alone(producer: Producer) -> None:
    """Never expired, never trimmed, its groups kept: only our entries are added at its end."""
    store, callback = producer.store, f"navigation:log:{fresh_id()}"
    before = [store.xadd(callback, {"mine": str(n)}) for n in range(300)]
    store.xgroup_create(callback, "readers", id="0")
    store.xreadgroup("readers", "one", {callback: ">"}, count=10)

    for stream in (*STREAMS, *STREAMS):
        for streaming in (True, False):
            asked = request(callback=callback, stream=streaming)
            producer.add(asked, stream)
    producer.add(request(callback=callback, version="9"))
    producer.wait(callback, count=9)

    assert [entry for entry, _ in producer.entries(callback)[:300]] == before
    assert store.ttl(callback) == -1
    assert cast(Any, store.xpending(callback, "readers"))["pending"] == 10
