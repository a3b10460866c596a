"""Aliases and the fallback ladder on real processes: HTTP, the intake, a board's own stream."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from orion_contracts import keys
from orion_contracts.stamp import VERSION, iso_now
from orion_lab.stack import Stack
from servers.needs import demand

pytestmark = pytest.mark.integration
LARGE, MEDIUM, SMALL = "qwen2.5:0.5b", "smollm2:360m", "smollm2:135m"
MODELS: list[dict[str, Any]] = [
    {"name": LARGE, "fallback": MEDIUM},
    {"name": MEDIUM, "fallback": SMALL, "aliases": ["assistant"]},
    {"name": SMALL},
]
HELLO = {"messages": [{"role": "user", "content": "Hello"}], "options": {"num_predict": 4}}
CONSENT = {"x-orion-allow-fallback": "true"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One board with the two smaller models, under a configuration of three."""
    demand("valkey9")
    flags = ["--models", f"{SMALL},{MEDIUM}"]
    with Stack(["pi-a:zero"], appendfsync="no", board_flags=flags) as made:
        with made.client() as store:
            document = {"version": VERSION, "generation": 1, "timestamp": iso_now(),
                        "source": "test", "models": MODELS}  # fmt: skip
            store.set(keys.CONFIG, orjson.dumps(document))
            made.wait_until(
                lambda: store.hvals(keys.CONFIG_APPLIED) == [b"1"], "the models are configured"
            )
            made.wait_until(
                lambda: len(made.http.get(made.url + "/api/tags").json()["models"]) == 3, "tags"
            )
        yield made


def chat(stack: Stack, model: str, path: str = "/api/chat", **headers: str) -> httpx.Response:
    body = {**HELLO, "model": model, "stream": False}
    return stack.http.post(stack.url + path, json=body, headers=headers)


def produced(stack: Stack, stream: str, **fields: Any) -> dict[str, Any]:
    """The final of a producer's request."""
    request_id = str(uuid.uuid4())
    body = {"version": VERSION, "request_id": request_id, "timestamp": iso_now(), "source": "test",
            **HELLO, **fields}  # fmt: skip
    found: list[dict[str, Any]] = []
    with stack.client() as store:

        def ended() -> bool:
            entries: Any = store.xrange(keys.responses(request_id))
            found[:] = [orjson.loads(e[b"payload"]) for _, e in entries if e[b"type"] == b"final"]
            return bool(found)

        store.xadd(stream, {"payload": orjson.dumps(body)})
        stack.wait_until(ended, "its final")
    return found[0]


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
def test_an_alias_is_answered_under_its_name(stack: Stack, path: str) -> None:
    """By the model that it stands for."""
    answer = chat(stack, "assistant", path)

    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "assistant"
    assert "x-orion-fallback" not in answer.headers
    view = stack.http.get(f"{stack.url}/v1/decisions?limit=1").json()["decisions"][0]
    assert view["model"] == MEDIUM


@pytest.mark.parametrize("stream", [keys.REQUESTS, keys.node_requests("pi-a")])
def test_so_is_one_of_a_producer(stack: Stack, stream: str) -> None:
    """Through the intake, and straight on a board's stream."""
    final = produced(stack, stream, model="assistant")

    assert (final["status"], final["model"]) == ("completed", "assistant"), final
    assert "fallback_from" not in final


def test_without_consent_there_is_no_other_model(stack: Stack) -> None:
    """The one that no board has is not found, under the name that was asked for."""
    answer = chat(stack, LARGE)

    assert answer.status_code == 404
    assert answer.json()["error"] == f"model '{LARGE}' not found"


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
def test_with_consent_the_next_smaller_one_answers_and_says_so(stack: Stack, path: str) -> None:
    """In the body, in a header, and in the final that is kept."""
    answer = chat(stack, LARGE, path, **CONSENT)

    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == MEDIUM
    assert answer.headers["x-orion-fallback"] == f"{LARGE}->{MEDIUM}"
    kept = stack.http.get(f"{stack.url}/v1/requests/{answer.headers['x-orion-request-id']}").json()
    assert (kept["final"]["model"], kept["final"]["fallback_from"]) == (MEDIUM, LARGE)


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/embed", {"input": "Hello"}), ("/api/generate", {"keep_alive": 0})],
    ids=["an embedding", "unloading"],
)
def test_what_means_just_this_model_is_not_exchanged(
    stack: Stack, path: str, body: dict[str, Any]
) -> None:
    """Consent or not: it is told that no board has the model."""
    answer = stack.http.post(stack.url + path, json={"model": LARGE, **body}, headers=CONSENT)

    assert answer.status_code == 404, answer.text


def test_a_stream_says_so_from_its_first_line(stack: Stack) -> None:
    """Every line names the model that writes it."""
    body = {**HELLO, "model": LARGE}
    answer = stack.http.post(stack.url + "/api/chat", json=body, headers=CONSENT)

    assert answer.headers["x-orion-fallback"] == f"{LARGE}->{MEDIUM}"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert len(lines) > 2
    assert {line["model"] for line in lines} == {MEDIUM}


def test_what_can_be_served_is_not_exchanged(stack: Stack) -> None:
    """Consent is no wish."""
    answer = chat(stack, MEDIUM, **CONSENT)

    assert answer.json()["model"] == MEDIUM
    assert "x-orion-fallback" not in answer.headers


def test_the_same_key_is_the_same_request(stack: Stack) -> None:
    """Its fingerprint is that of what was asked: with consent or without, the answer is there."""
    key = {"idempotency-key": str(uuid.uuid4())}
    first = chat(stack, LARGE, **CONSENT, **key)
    again = chat(stack, LARGE, **key)

    assert first.json()["message"] == again.json()["message"]
    assert again.json()["model"] == MEDIUM
    assert again.headers["x-orion-fallback"] == f"{LARGE}->{MEDIUM}"
    assert again.headers["x-orion-request-id"] == first.headers["x-orion-request-id"]


def test_a_producer_consents_by_a_field(stack: Stack) -> None:
    """Its final names both."""
    final = produced(stack, keys.REQUESTS, model=LARGE, allow_fallback=True)

    assert (final["status"], final["model"]) == ("completed", MEDIUM), final
    assert final["fallback_from"] == LARGE
