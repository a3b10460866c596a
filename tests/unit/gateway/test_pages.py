"""Everything that does not generate: metadata, management, health, requests by id."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orion_contracts.limits import Limits
from orion_router.fleet import Fleet
from orion_router.gateway import create_app
from orion_router.gateway.health_api import health
from unit.gateway.gateway_harness import (
    CHAT,
    HELLO,
    ID,
    Client,
    FakeDesk,
    FakeVitals,
    client,
    fleet,
    piece,
)


async def test_metadata_is_merged_over_the_boards() -> None:
    """A model on two boards is one model; the oldest engine's version counts."""
    async with client() as c:
        tags = (await c.get("/api/tags")).document["models"]
        loaded = (await c.get("/api/ps")).document["models"]
        listed = (await c.get("/v1/models")).document
        one = (await c.get("/v1/models/m")).document
        version = (await c.get("/api/version")).document
        shown = (await c.post("/api/show", {"model": "m"})).document

    assert [(t["name"], t["size"], t["details"]["family"]) for t in tags] == [("m", 7, "llama")]
    assert [(m["model"], m["nodes"]) for m in loaded] == [("m", ["pi-a", "pi-b"])]
    assert [m["id"] for m in listed["data"]] == ["m"]
    assert one == listed["data"][0]
    assert one["created"] == 1767312000
    assert version == {"version": "0.30.1"}
    assert shown["capabilities"] == ["completion"]


async def test_what_is_not_there_is_said_in_each_protocols_shape() -> None:
    """404 for models and paths, 405 for methods, 403 for management."""
    async with client() as c:
        show = await c.post("/api/show", {"model": "x"})
        model = await c.get("/v1/models/x")
        path = await c.get("/api/nothing")
        method = await c.get("/api/chat")
        pull = await c.post("/api/pull", {"model": "m"})

    assert (show.status, show.document) == (404, {"error": "model 'x' not found"})
    assert (model.status, model.document["error"]["type"]) == (404, "not_found_error")
    assert (path.status, path.body) == (404, b"404 page not found")
    assert (method.status, method.headers["allow"]) == (405, "POST")
    assert pull.status == 403
    assert "InferenceCluster" in pull.document["error"]


async def test_root_is_ollamas_text_or_a_page() -> None:
    """A client's probe gets Ollama's words, a browser the boards."""
    async with client() as c:
        probe = await c.get("/")
        head = await c.open("HEAD", "/").ended()
        page = await c.get("/", accept="text/html")

    assert (probe.body, head.status) == (b"Ollama is running", 200)
    assert b"pi-b" in page.body


async def test_nodes_tell_why_they_get_no_work() -> None:
    """Each board with its reasons."""
    async with client() as c:
        nodes = (await c.get("/v1/nodes")).document["nodes"]

    assert [(n["name"], n["eligible"], n["reasons"]) for n in nodes] == [
        ("pi-a", True, []),
        ("pi-b", False, ["hot"]),
    ]


@pytest.mark.parametrize(
    ("problem", "boards", "status", "word"),
    [("", fleet(), 200, "warn"), ("no store", fleet(), 503, "fail"), ("", Fleet(), 200, "warn")],
)
def test_health_is_the_worst_of_its_checks(
    problem: str, boards: Fleet, status: int, word: str
) -> None:
    """No store is a failure, a board that may not work a warning."""
    vitals = FakeVitals(problem)
    answered, document = health(boards, vitals, "0.1.0", 3)

    assert (answered, document["status"]) == (status, word)
    assert document["checks"]["nodes:ready"][0]["observedUnit"] == f"of {len(boards.nodes)}"


def test_health_warns_of_a_configuration_that_is_not_in_force() -> None:
    """With the reason; a store that is away is worse."""
    well = Fleet({"pi-a": fleet().nodes["pi-a"]})
    assert health(well, FakeVitals(), "0.1.0", 0)[1]["status"] == "pass"
    status, document = health(well, FakeVitals(), "0.1.0", 0, "thresholds: too hot")
    worse = health(well, FakeVitals("no store"), "0.1.0", 0, "thresholds: too hot")[1]

    assert (status, document["status"], worse["status"]) == (200, "warn", "fail")
    (check,) = document["checks"]["config:valid"]
    assert (check["status"], check["output"]) == ("warn", "thresholds: too hot")


async def test_health_asks_the_desk_about_the_configuration() -> None:
    """What the router found wrong is what is shown."""
    async with client(FakeDesk(config_error="generation: missing")) as c:
        document = (await c.get("/health")).document

    assert document["checks"]["config:valid"][0]["output"] == "generation: missing"


async def test_the_queue_is_listed_in_part() -> None:
    """How many wait, and no more of them than asked for."""
    async with client() as c:
        for _ in range(3):
            await c.post("/v1/requests", CHAT)
        queue = (await c.get("/v1/queue?limit=2")).document
        wrong = await c.get("/v1/queue?limit=1001")

    assert (queue["depth"], len(queue["requests"]), wrong.status) == (3, 2, 400)
    assert queue["requests"][0]["priority"] == "interactive"


async def test_livez_does_not_ask_the_store_and_readyz_does() -> None:
    """A store that is away must not restart the router."""
    vitals = FakeVitals("no store")
    c = Client(FakeDesk(), create_app(FakeDesk(), vitals, "0.1.0"))

    assert (await c.get("/livez")).status == 200
    assert (await c.get("/readyz")).status == 503
    assert (await c.get("/health")).headers["content-type"] == "application/health+json"


async def test_an_http_client_does_not_choose_the_stream_of_its_answer() -> None:
    """Otherwise anybody who reaches the port writes into any stream of the store."""
    body = {**CHAT, "callback": "robot:commands"}
    async with client() as c:
        refused = await c.post("/v1/requests", body)

    assert refused.status == 400
    assert "callback" in refused.body.decode()


async def test_requests_by_id_submit_look_cancel() -> None:
    """202 and a place to look; 200 with the final where the caller waits."""
    async with client() as c:
        accepted = await c.post("/v1/requests", CHAT, x_orion_request_id=ID)
        waited = await c.open("POST", "/v1/requests?wait=5", CHAT).ended()
        seen = await c.get(f"/v1/requests/{ID}")
        listed = await c.get("/v1/requests?limit=5")
        cancelled = await c.open("DELETE", f"/v1/requests/{ID}").ended()
        also = await c.post(f"/v1/requests/{ID}/cancel", b"")
        unknown = await c.get("/v1/requests/" + ID.replace("1", "9"))

    assert (accepted.status, accepted.headers["location"]) == (202, f"/v1/requests/{ID}")
    assert (waited.status, waited.document["final"]["response"]) == (200, "Hello")
    assert (seen.document["state"], len(listed.document["requests"])) == ("RUNNING", 2)
    assert (cancelled.status, also.document["state"]) == (202, "PENDING")
    assert unknown.status == 404


@pytest.mark.parametrize(
    "text", ["1_0", " 5", "+5", "1e2", "5.", ".5", "nan", "-1", "600.1", "\u0665", "", "1" * 40]
)
async def test_a_time_to_wait_is_written_in_plain_digits(text: str) -> None:
    """Anything else is no number to a person, and named."""
    async with client() as c:
        answer = await c.open("POST", f"/v1/requests?wait={quote(text)}", CHAT).ended()
        sound = [await c.post(f"/v1/requests?wait={s}", CHAT) for s in ("0", "0.25", "600", "007")]

    assert (answer.status, answer.document["error"]) == (400, "wait: seconds from 0 to 600")
    assert [each.status for each in sound] == [202, 200, 200, 200]


@pytest.mark.parametrize("text", ["0", "1001", "1_0", "\u00b2", "\u0665", "ten", ""])
async def test_a_limit_is_a_whole_number(text: str) -> None:
    """A digit of another script is none, and no failure of ours."""
    async with client() as c:
        answer = await c.get(f"/v1/requests?limit={quote(text)}")

    assert answer.status == 400
    assert answer.document["error"] == "limit: a whole number from 1 to 1000"


async def test_who_leaves_while_waiting_for_a_final_takes_no_place() -> None:
    """Otherwise 1,024 clients that come and go close the gateway for as long as they had asked
    to wait. The request itself goes on: its id was told to whoever named it."""
    async with client(FakeDesk([])) as c:
        exchange = c.open("POST", "/v1/requests?wait=600", CHAT, {"x-orion-request-id": ID})
        await c.desk.waited.wait()
        assert c.app.door.open == 1

        exchange.leave()
        await exchange.ended()

        assert (c.app.door.open, c.desk.closed, c.desk.cancelled) == (0, 1, [])


async def test_a_reader_attaches_where_it_was() -> None:
    """`Last-Event-ID` skips what was seen; the final's own id ends the reading."""
    async with client() as c:
        await c.post("/v1/requests", CHAT, x_orion_request_id=ID)
        whole = await c.get(f"/v1/requests/{ID}/events")
        rest = await c.get(f"/v1/requests/{ID}/events", **{"last-event-id": "1-1"})
        over = await c.get(f"/v1/requests/{ID}/events", **{"last-event-id": "1-999999999"})
        wrong = await c.get(f"/v1/requests/{ID}/events", **{"last-event-id": "x"})

    assert whole.body.startswith(b"id: 1-1\nevent: chunk\n")
    assert rest.body.startswith(b"id: 1-2\nevent: chunk\n")
    assert rest.body.count(b"event: final") == 1
    assert (over.status, wrong.status) == (204, 400)


async def test_a_reader_that_leaves_changes_nothing() -> None:
    """Attaching is looking."""
    async with client(FakeDesk([piece(1, "He")])) as c:
        await c.post("/v1/requests", CHAT, x_orion_request_id=ID)
        exchange = c.open("GET", f"/v1/requests/{ID}/events")
        await exchange.until(lambda: b"He" in exchange.body)
        exchange.leave()
        await exchange.ended()

    assert c.desk.cancelled == []


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([b""], 400),
        ([b"{"], 400),
        ([b"[]"], 400),
        ([b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}'], 400),
        ([b'{"a":' * 100 + b"1" + b"}" * 100], 400),
        ([b"[" * 100_000], 400),
        ([b"\xff\xfe"], 400),
        ([b'{"model":"../m"}'], 400),
        ([b'{"model":"m","model":"n","messages":[]}'], 200),
        ([b'{"model":"m","options":{"seed":1e999}}'], 400),
        ([b"x" * 600_000, b"x" * 600_000], 413),
    ],
    ids=str,
)
async def test_hostile_bodies_are_answered(parts: list[bytes], status: int) -> None:
    """A clear status, whole or in pieces."""
    async with client(limits=Limits(body_bytes=1_000_000)) as c:
        answer = await c.open("POST", "/api/chat", parts=parts).ended()

    assert answer.status == status
    assert "error" in answer.document or status == 200


async def test_a_client_that_leaves_while_sending_is_no_error() -> None:
    """Nothing is submitted and nothing is answered."""
    async with client() as c:
        exchange = c.open("POST", "/api/chat", parts=[b'{"model"', b""])
        exchange.incoming.get_nowait()
        exchange.incoming.get_nowait()
        exchange.leave()
        await exchange.ended()

    assert (exchange.sent, c.desk.submitted) == ([], [])


PATHS = st.sampled_from(
    ["/api/chat", "/api/generate", "/api/embed", "/v1/chat/completions", "/v1/completions",
     "/v1/embeddings", "/v1/requests", "/api/show", f"/v1/requests/{ID}/cancel", "/api/pull",
     "/v1/requests?wait=nan", "/v1/requests?wait=1e400", f"/v1/requests/{ID}x"]
)  # fmt: skip
TEXTS = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=20)
NAMES = st.sampled_from(
    ["x-orion-request-id", "idempotency-key", "x-orion-priority", "x-orion-deadline-ms",
     "x-orion-session", "authorization", "last-event-id", "content-length", "accept"]
)  # fmt: skip
BODIES = st.binary(max_size=30) | st.dictionaries(
    st.sampled_from(["model", "messages", "prompt", "input", "stream", "options", "request_id"]),
    st.none() | st.integers() | TEXTS | st.lists(TEXTS, max_size=2),
    max_size=4,
).map(lambda d: orjson.dumps(d, option=orjson.OPT_NON_STR_KEYS, default=str) if _fits(d) else b"{}")


def _fits(document: dict[str, Any]) -> bool:
    return all(not isinstance(v, int) or abs(v) < 2**63 for v in document.values())


@given(PATHS, st.sampled_from(["POST", "GET", "DELETE"]), st.dictionaries(NAMES, TEXTS), BODIES)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_no_input_is_a_500(
    path: str, method: str, headers: dict[str, str], body: bytes
) -> None:
    """Whatever comes in, the answer is not our failure."""
    async with client(FakeDesk(HELLO)) as c:
        answer = await c.open(method, path, body, headers).ended()

    assert answer.status < 500
