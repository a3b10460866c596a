"""Aliases and fallbacks as clients see them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from orion_contracts.config import ClusterConfig, ModelConfig
from orion_router.events import Event, Piece
from unit.gateway.gateway_harness import CHAT, FakeDesk, client, final

ALIASED = ClusterConfig(models=(ModelConfig(name="m", aliases=("assistant",), context_length=99),))
SMALLER: tuple[Event, ...] = (
    Piece(1, 1, [{"content": "He"}], "warm", 4, "pi-a", "small", "big"),
    Piece(1, 2, [{"content": "llo"}]),
    final(model="small", fallback_from="big"),
)


@pytest.mark.parametrize(
    ("path", "stream"),
    [("/api/chat", True), ("/api/chat", False), ("/v1/chat/completions", True),
     ("/v1/chat/completions", False)],
)  # fmt: skip
async def test_the_answer_names_the_model_that_really_answered(path: str, stream: bool) -> None:
    """In every line or event, and in a header with both names."""
    async with client(FakeDesk(SMALLER)) as c:
        body = {**CHAT, "model": "big", "stream": stream}
        answer = await c.post(path, body, x_orion_allow_fallback="true")

    assert answer.headers["x-orion-fallback"] == "big->small"
    assert b"Hello" in answer.body or b"llo" in answer.body
    said = answer.lines if path == "/api/chat" else answer.events if stream else [answer.document]
    assert {each["model"] for each in said} == {"small"}
    assert c.desk.submitted[0].allow_fallback
    assert c.desk.submitted[0].model == "big"


@pytest.mark.parametrize("path", ["/api/embed", "/v1/embeddings"])
async def test_so_does_an_embedding(path: str) -> None:
    """None is exchanged, but should a final say so, its vectors go by no other model's name."""
    script = (final("[[1.0]]", model="small", fallback_from="big"),)
    async with client(FakeDesk(script)) as c:
        answer = await c.post(path, {"model": "big", "input": "x"}, x_orion_allow_fallback="true")

    assert answer.document["model"] == "small"
    assert answer.headers["x-orion-fallback"] == "big->small"


async def test_without_a_header_nothing_is_allowed() -> None:
    """And no answer carries a fallback that did not happen."""
    async with client() as c:
        answer = await c.post("/api/chat", CHAT)

    assert not c.desk.submitted[0].allow_fallback
    assert c.desk.submitted[0].max_wait_ms is None
    assert "x-orion-fallback" not in answer.headers


async def test_a_fallback_that_fails_is_told_as_well() -> None:
    """The client learns which model failed."""
    lost = final(status="failed", error_code="crashed", model="small", fallback_from="big")
    async with client(FakeDesk((lost,))) as c:
        answer = await c.post("/api/chat", CHAT, x_orion_allow_fallback="true")

    assert answer.status == 502
    assert answer.headers["x-orion-fallback"] == "big->small"


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-orion-allow-fallback", "yes"), ("x-orion-max-wait-ms", "0"),
     ("x-orion-max-wait-ms", "soon"), ("x-orion-deadline-ms", "-1"),
     ("x-orion-priority", "urgent")],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/chat", "/v1/requests"])
async def test_a_wrong_header_is_named(path: str, name: str, value: str) -> None:
    """With what may be written there; also where a document's own field would win."""
    own = {"priority": "batch", "deadline_ms": 7, "max_wait_ms": 7, "allow_fallback": False}
    body = {**CHAT, **own} if path == "/v1/requests" else CHAT
    async with client() as c:
        answer = await c.open("POST", path, body, {name: value}).ended()

    assert answer.status == 400
    assert answer.document["error"].startswith(f"{name}: ")


TWOFOLD = {
    "x-orion-request-id": ("2f1c7f5c-6f0e-4f0a-9a53-0d7f3b5b8c01", str(uuid.uuid4())),
    "x-orion-priority": ("batch", "interactive"),
    "x-orion-deadline-ms": ("1000", "2000"),
    "x-orion-session": ("a", "b"),
    "x-orion-allow-fallback": ("true", "false"),
    "x-orion-max-wait-ms": ("1000", "2000"),
    "idempotency-key": ("a", "b"),
    "authorization": ("Bearer a", "Bearer b"),
}


@pytest.mark.parametrize("path", ["/api/chat", "/v1/requests"])
@pytest.mark.parametrize("name", TWOFOLD)
async def test_a_header_that_says_two_things_is_wrong(path: str, name: str) -> None:
    """Neither of them is what the client wants; the same thing twice is one thing."""
    one, two = TWOFOLD[name]
    async with client() as c:
        for value, other in ((one, two), (two, one)):
            answer = await c.open("POST", path, CHAT, {name: value, name.title(): other}).ended()
            assert answer.status == 400
            assert answer.document["error"].startswith(f"{name}: sent twice")
        assert not c.desk.submitted
        await c.open("POST", path, CHAT, {name: one, name.title(): one}).ended()

    assert len(c.desk.submitted) == 1


async def test_own_requests_take_the_headers_where_the_document_says_nothing() -> None:
    """Every one that other endpoints honour; the document's own word counts."""
    own = {"priority": "interactive", "deadline_ms": 9, "session": "mine", "allow_fallback": False,
           "max_wait_ms": 7}  # fmt: skip
    async with client() as c:
        headers = {
            "x_orion_priority": "batch", "x_orion_deadline_ms": "60000", "x_orion_session": "s",
            "x_orion_allow_fallback": "true", "x_orion_max_wait_ms": "5000",
        }  # fmt: skip
        await c.post("/v1/requests", CHAT, **headers)
        await c.post("/v1/requests", {**CHAT, **own}, **headers)
        await c.post("/v1/requests", CHAT)
        await c.post("/api/chat", CHAT, **headers)

    given, written, silent, chatted = (
        (r.priority, r.deadline_ms, r.session, r.allow_fallback, r.max_wait_ms)
        for r in c.desk.submitted
    )
    assert given == chatted == ("batch", 60_000, "s", True, 5000)
    assert written == tuple(own.values())
    assert silent == ("interactive", None, "", False, None)


async def test_aliases_are_listed_and_shown_like_models() -> None:
    """As Ollama lists a copy, with its tag; what is loaded goes by its own name alone."""
    async with client(FakeDesk(config=ALIASED)) as c:
        tags = (await c.get("/api/tags")).document["models"]
        listed = (await c.get("/v1/models")).document["data"]
        shown = await c.post("/api/show", {"model": "assistant"})
        one = await c.get("/v1/models/assistant")
        loaded = (await c.get("/api/ps")).document["models"]

    assert {(m["name"], m["model"], m["digest"]) for m in tags} == {
        ("m", "m", "d1"), ("assistant:latest", "assistant:latest", "d1"),
    }  # fmt: skip
    assert {m["id"] for m in listed} == {"m", "assistant:latest"}
    assert shown.document["details"]["family"] == "llama"
    assert one.document["id"] == "assistant"
    assert [m["name"] for m in loaded] == ["m"]


async def test_an_alias_of_a_model_that_no_board_has_is_not_listed() -> None:
    """It could not be asked."""
    gone = ClusterConfig(models=(ModelConfig(name="gone", aliases=("assistant",)),))
    async with client(FakeDesk(config=gone)) as c:
        tags = (await c.get("/api/tags")).document["models"]
        shown = await c.post("/api/show", {"model": "assistant"})

    assert [m["name"] for m in tags] == ["m"]
    assert shown.status == 404
    assert "assistant" in shown.document["error"]


async def test_an_alias_has_its_models_context() -> None:
    """A larger one is refused under any of its names."""
    async with client(FakeDesk(config=ALIASED)) as c:
        body: dict[str, Any] = {**CHAT, "model": "assistant", "options": {"num_ctx": 100}}
        answer = await c.post("/api/chat", body)

    assert answer.status == 400
    assert "num_ctx" in answer.document["error"]
