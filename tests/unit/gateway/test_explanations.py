"""What clients and people are told of decisions, places and waiting times."""

from __future__ import annotations

from orion_contracts.errors import QueueWait
from orion_router.estimates import Standing
from orion_router.forecast import Told
from orion_router.gateway.headers import standing_facts, waiting
from orion_router.gateway.openai_out import KEEP_ALIVE
from orion_router.journal import Noted
from orion_router.policy import Candidate, Decision, Terms
from unit.gateway.gateway_harness import CHAT, ID, FakeDesk, client, final

OTHER = "22222222-2222-4333-8444-555555555555"
TERMS = Terms(wait_s=1.0, load_s=2.0, prefill_s=0.25, decode_s=4.0, price_s=5.0, cached_tokens=7)
LOOKED = (Candidate("pi-a", "", True, 0, TERMS), Candidate("pi-b", "hot"))
NOTED = (
    Noted(1767225600.5, Decision(ID, "assign", "pi-a", 1, "warm", "resident", LOOKED, "m")),
    Noted(1767225600.0, Decision(OTHER, "model_not_found", why="no board has this model")),
)


async def test_a_decision_names_each_board_with_its_seconds_or_its_word() -> None:
    """Sums beside their parts; what is not there is null."""
    async with client(FakeDesk(told=Told(True, "router-0", NOTED))) as c:
        document = (await c.get("/v1/decisions")).document

    first, second = document.pop("decisions")
    assert document == {"planner": True, "planned_by": "router-0"}
    assert first == {
        "at": "2026-01-01T00:00:00.500Z", "request_id": ID, "model": "m", "verdict": "assign",
        "node": "pi-a", "residency": "warm", "why": "resident",
        "candidates": [
            {
                "node": "pi-a", "reason": None, "resident": True, "running": 0,
                "terms": {
                    "wait_s": 1.0, "load_s": 2.0, "prefill_s": 0.25, "decode_s": 4.0,
                    "price_s": 5.0, "derate": 1.0, "cached_tokens": 7, "completion_s": 7.25,
                    "cost_s": 12.25,
                },
            },
            {"node": "pi-b", "reason": "hot", "resident": False, "running": 0, "terms": None},
        ],
    }  # fmt: skip
    assert (second["verdict"], second["node"], second["residency"]) == (
        "model_not_found", None, None,
    )  # fmt: skip


async def test_decisions_of_one_request_and_no_more_than_asked_for() -> None:
    """The limit is 256; an id is a UUID."""
    async with client(FakeDesk(told=Told(True, "router-0", NOTED))) as c:
        one = await c.get(f"/v1/decisions?request_id={OTHER}")
        newest = await c.get("/v1/decisions?limit=1")
        refused = [
            (await c.get(f"/v1/decisions?{query}")).status
            for query in ("limit=257", "limit=0", "limit=x", "request_id=x")
        ]

    assert [d["request_id"] for d in one.document["decisions"]] == [OTHER]
    assert [d["request_id"] for d in newest.document["decisions"]] == [ID]
    assert refused == [400] * 4


async def test_a_router_that_does_not_plan_says_who_does() -> None:
    """With an empty list, not with a stale one."""
    async with client(FakeDesk(told=Told(False, "router-1"))) as c:
        document = (await c.get("/v1/decisions")).document

    assert document == {"planner": False, "planned_by": "router-1", "decisions": []}


async def test_headers_and_comments_tell_who_waits_how_long() -> None:
    """An event stream whose headers leave early: position and time in them and in its comments."""
    desk = FakeDesk([], stands=Standing(3, "pi-a", 42.4))
    async with client(desk, hold_s=0.01) as c:
        exchange = c.open("POST", "/v1/chat/completions", {**CHAT, "stream": True})
        await exchange.until(lambda: b": queued, position 3, about 42 s\n\n" in exchange.body)
        desk.stands = Standing(0)
        await exchange.until(lambda: b": queued, position 0\n\n" in exchange.body)
        desk.stands = None
        await exchange.until(lambda: KEEP_ALIVE in exchange.body)
        desk.feed(final())
        await exchange.ended()

    assert exchange.headers["x-orion-queue-position"] == "3"
    assert exchange.headers["x-orion-estimated-wait-ms"] == "42400"


async def test_a_reader_of_events_is_told_too() -> None:
    """The stream of /v1/requests has comments."""
    desk = FakeDesk([], marks={ID: ""}, stands=Standing(1, "pi-a", 5.0))
    async with client(desk, hold_s=0.01) as c:
        exchange = c.open("GET", f"/v1/requests/{ID}/events")
        await exchange.until(lambda: b": queued, position 1, about 5 s\n\n" in exchange.body)
        exchange.leave()
        await exchange.ended()


async def test_lines_of_json_hold_nothing_else() -> None:
    """Ollama's streams have no comments: they wait, whatever is known."""
    desk = FakeDesk([], stands=Standing(3, "pi-a", 42.0))
    async with client(desk, hold_s=0.01) as c:
        exchange = c.open("POST", "/api/chat", CHAT)
        await desk.waited.wait()
        desk.feed(final())
        await exchange.ended()

    assert desk.waits[0] is None
    assert b"queued" not in exchange.body
    assert exchange.lines[-1]["done"]


def test_where_a_protocol_has_no_comments_its_own_words_stay() -> None:
    """A place without a time is told without one."""
    assert waiting(Standing(1, "a", 9.0), b'data: {"type": "ping"}\n\n').startswith(b"data")
    assert waiting(None, KEEP_ALIVE) == KEEP_ALIVE
    assert standing_facts(None) == []
    assert standing_facts(Standing(1)) == [(b"x-orion-queue-position", b"1")]


async def test_a_wait_beyond_the_bound_is_refused_in_each_protocols_shape() -> None:
    """503 with the code, where the protocol has one, and the seconds until another try."""
    async with client(FakeDesk(error=QueueWait("too long", 90))) as c:
        ollama = await c.post("/api/chat", CHAT)
        openai = await c.post("/v1/chat/completions", CHAT)
        ours = await c.post("/v1/requests", CHAT)

    told = [(each.status, each.headers["retry-after"]) for each in (ollama, openai, ours)]
    assert told == [(503, "90")] * 3
    assert ollama.document == {"error": "too long"}
    assert (openai.document["error"]["code"], ours.document["code"]) == ("queue_wait",) * 2
