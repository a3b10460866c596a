"""The generating endpoints: shapes, headers, errors, identity, and clients that leave."""

from __future__ import annotations

from typing import Any

import pytest

from orion_contracts.config import ClusterConfig, ModelConfig
from orion_contracts.errors import (
    NoNodeEligible,
    OrionError,
    QueueFull,
    StoreUnavailable,
    UnknownModel,
)
from orion_router.events import Event, Final
from unit.gateway.gateway_harness import (
    CHAT,
    HELLO,
    ID,
    Exchange,
    FakeDesk,
    client,
    eventually,
    failed,
    final,
    piece,
)


async def test_a_streamed_chat_is_ollamas_line_for_line() -> None:
    """One line for each token, then the metrics, keys in Ollama's order."""
    async with client() as c:
        answer = await c.post("/api/chat", CHAT)

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    *tokens, last = answer.lines
    assert [t["message"]["content"] for t in tokens] == ["He", "l", "lo"]
    assert all(list(t) == ["model", "created_at", "message", "done"] for t in tokens)
    assert list(last) == [
        "model", "created_at", "message", "done", "done_reason", "total_duration",
        "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count",
        "eval_duration",
    ]  # fmt: skip
    assert (last["total_duration"], last["eval_duration"]) == (40_000_000, 2_250_000)


async def test_the_facts_are_in_the_headers() -> None:
    """Node, queue time, attempts, residency and id, streamed or not."""
    async with client() as c:
        for stream in (True, False):
            answer = await c.post("/api/chat", {**CHAT, "stream": stream}, x_orion_request_id=ID)
            facts = {k: v for k, v in answer.headers.items() if k.startswith("x-orion")}

            assert facts == {
                "x-orion-request-id": ID,
                "x-orion-node": "pi-a",
                "x-orion-queue-ms": "4",
                "x-orion-attempts": "1",
                "x-orion-residency": "warm",
            }
            c.desk.marks.clear()


async def test_a_whole_answer_is_one_object() -> None:
    """Not streamed: one object, and the worker is not asked to stream."""
    async with client(FakeDesk([final(thinking="Hm.")])) as c:
        answer = await c.post("/api/generate", {"model": "m", "prompt": "hi", "stream": False})

    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.document["response"] == "Hello"
    assert answer.document["thinking"] == "Hm."
    assert not c.desk.submitted[0].stream


async def test_openai_streams_end_with_usage_and_done() -> None:
    """Chunks with a role, a finish reason, usage where asked for, [DONE]."""
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    async with client() as c:
        answer = await c.post("/v1/chat/completions", body)

    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.body.endswith(b"data: [DONE]\n\n")
    *chunks, usage = answer.events
    assert [c["choices"][0]["delta"]["content"] for c in chunks] == ["He", "l", "lo", ""]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}


async def test_tool_calls_reach_openai_clients() -> None:
    """Arguments as text, finish reason tool_calls, streamed or not."""
    call = {"id": "c1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}
    async with client(FakeDesk([final("", tool_calls=[call])])) as c:
        streamed = await c.post("/v1/chat/completions", {**CHAT, "stream": True})
        whole = await c.post("/v1/chat/completions", CHAT)

    spelled = {
        "id": "c1", "index": 0, "type": "function",
        "function": {"name": "f", "arguments": '{"a":1}'},
    }  # fmt: skip
    assert streamed.events[0]["choices"][0]["delta"]["tool_calls"] == [spelled]
    assert streamed.events[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert whole.document["choices"][0]["message"]["tool_calls"] == [spelled]


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (UnknownModel("m"), 404, None),
        (QueueFull("the queue is full", 7), 503, "7"),
        (NoNodeEligible("too hot"), 503, "5"),
        (StoreUnavailable("no store"), 503, "5"),
    ],
    ids=lambda value: getattr(value, "code", None),
)
async def test_refusals_are_statuses_in_both_shapes(
    error: OrionError, status: int, retry: str | None
) -> None:
    """What the desk refuses is a status, an error body and perhaps a Retry-After."""
    async with client(FakeDesk(error=error)) as c:
        for path in ("/api/chat", "/v1/chat/completions"):
            answer = await c.post(path, CHAT)

            assert answer.status == status
            assert answer.headers.get("retry-after") == retry
            assert answer.headers["x-orion-request-id"]
            said = answer.document["error"]
            assert (said if path == "/api/chat" else said["message"]) == str(error)


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (failed("model_not_found"), 404),
        (failed("engine_rejected", error_status=400), 400),
        (failed("engine_busy"), 503),
        (failed("queue_full", error_status=429, retry_after_ms=2500), 429),
        (failed("crashed"), 502),
        (failed("deadline", status="expired"), 504),
        (failed("cancelled", status="cancelled"), 499),
    ],
    ids=lambda value: value.payload["error_code"] if isinstance(value, Final) else "",
)
async def test_a_failure_before_any_token_is_a_status(last: Final, status: int) -> None:
    """Streamed or not: nothing was sent, so the status tells the truth."""
    async with client(FakeDesk([last])) as c:
        for stream in (True, False):
            answer = await c.post("/api/chat", {**CHAT, "stream": stream})
            assert (answer.status, answer.document) == (status, {"error": "it broke"})
            if status == 429:
                assert answer.headers["retry-after"] == "3"


async def test_a_failure_after_tokens_is_one_error_in_the_protocols_words() -> None:
    """Ollama: a last line; OpenAI: a last event; never a done."""
    async with client(FakeDesk([piece(1, "He"), failed("crashed")])) as c:
        native = await c.post("/api/chat", CHAT)
        openai = await c.post("/v1/chat/completions", {**CHAT, "stream": True})

    assert native.status == 200
    assert native.lines[-1] == {"error": "it broke"}
    assert openai.events[-1]["error"]["message"] == "it broke"
    assert b"[DONE]" not in openai.body


async def test_a_rerun_after_a_lost_board_is_invisible() -> None:
    """The second attempt repeats the first one's text: the client sees it once."""
    script: list[Event] = [
        piece(1, "He"),
        piece(1, "Hel", attempt=2),
        piece(2, "lo", attempt=2),
        final(),
    ]
    async with client(FakeDesk(script)) as c:
        answer = await c.post("/api/chat", CHAT)

    text = "".join(line["message"]["content"] for line in answer.lines)
    assert text == "Hello"
    assert answer.lines[-1]["done"]


async def test_a_rerun_that_differs_ends_with_one_error_naming_the_request() -> None:
    """The client learns where the whole answer will be."""
    script = [piece(1, "He"), piece(1, "Good", attempt=2)]
    async with client(FakeDesk(script)) as c:
        answer = await c.post("/api/chat", CHAT, x_orion_request_id=ID)

    assert ID in answer.lines[-1]["error"]
    assert answer.lines[0]["message"]["content"] == "He"


async def test_headers_wait_and_then_event_streams_are_kept_alive() -> None:
    """After the hold: 200, comments, and the facts in a last comment."""
    async with client(FakeDesk([]), hold_s=0.01) as c:
        exchange = c.open("POST", "/v1/chat/completions", {**CHAT, "stream": True})
        await exchange.until(lambda: b": keep-alive" in exchange.body)
        c.desk.feed(*HELLO)
        await exchange.ended()

    assert exchange.status == 200
    assert "x-orion-node" not in exchange.headers
    assert b"\n\n: x-orion-attempts=1 x-orion-node=pi-a" in exchange.body
    assert exchange.events[0]["choices"][0]["delta"]["content"] == "He"


@pytest.mark.parametrize("stream", [True, False])
async def test_ollama_clients_wait_without_headers(stream: bool) -> None:
    """NDJSON has no comments: nothing is sent before the first token, and the status stays open."""
    async with client(FakeDesk([]), hold_s=0.01) as c:
        exchange = c.open("POST", "/api/chat", {**CHAT, "stream": stream})
        await c.desk.waited.wait()

        assert (exchange.sent, c.desk.waits) == ([], [None])
        c.desk.feed(failed("queue_full"))
        await exchange.ended()

    assert exchange.status == 503


@pytest.mark.parametrize("sent", [(), (piece(1, "He"),)], ids=["before a token", "after one"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_leaving_client_cancels_its_request(stream: bool, sent: Any) -> None:
    """Nobody waits for it any more: the board is freed."""
    async with client(FakeDesk(sent)) as c:
        exchange = c.open("POST", "/api/chat", {**CHAT, "stream": stream})
        if sent and stream:
            await exchange.until(lambda: b"He" in exchange.body)
        exchange.leave()
        await exchange.ended()

    assert c.desk.cancelled == [c.desk.submitted[0].request_id]
    assert c.desk.closed == 1


@pytest.mark.parametrize("name", ["idempotency_key", "x_orion_request_id"])
async def test_named_work_survives_its_client_and_answers_the_repeated_post(name: str) -> None:
    """With a name the work goes on; the same POST gives the same answer."""
    value = ID if name == "x_orion_request_id" else "my key"
    async with client(FakeDesk([])) as c:
        exchange = c.open("POST", "/api/chat", CHAT, {name.replace("_", "-"): value})
        exchange.leave()
        await exchange.ended()
        c.desk.script = HELLO
        answer = await c.post("/api/chat", CHAT, **{name: value})
        reordered = dict(reversed(CHAT.items()))
        again = await c.post("/api/chat", reordered, **{name: value})

    assert c.desk.cancelled == []
    assert answer.lines[-1]["done"]
    assert again.headers["x-orion-request-id"] == answer.headers["x-orion-request-id"]


async def test_a_name_reused_for_something_else_is_refused() -> None:
    """422, in the protocol's shape; another key's owner is another name."""
    other = {**CHAT, "messages": [{"role": "user", "content": "bye"}]}
    async with client() as c:
        await c.post("/v1/chat/completions", CHAT, idempotency_key="k")
        answer = await c.post("/v1/chat/completions", other, idempotency_key="k")
        theirs = await c.post(
            "/v1/chat/completions", other, idempotency_key="k", authorization="Bearer b"
        )

    assert (answer.status, answer.document["error"]["code"]) == (422, "id_reused")
    assert theirs.status == 200


async def test_a_seed_is_stamped_on_streams_without_one() -> None:
    """So that a rerun repeats its text; the caller's own seed stays."""
    async with client() as c:
        await c.post("/api/chat", CHAT)
        await c.post("/api/chat", {**CHAT, "options": {"seed": 5}})
        await c.post("/api/chat", {**CHAT, "stream": False})

    first, own, whole = (dict(r.options or {}) for r in c.desk.submitted)
    assert isinstance(first["seed"], int)
    assert (own["seed"], whole) == (5, {})


async def test_empty_messages_only_load_the_model() -> None:
    """Also for a streaming client: one JSON object without metrics."""
    script = [final("", finish_reason="load")]
    async with client(FakeDesk(script)) as c:
        answer = await c.post("/api/chat", {"model": "m", "keep_alive": "1h30m"})

    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.document["message"] == {"role": "assistant", "content": ""}
    assert (answer.document["done_reason"], "eval_count" in answer.document) == ("load", False)
    asked = c.desk.submitted[0]
    assert (asked.operation, asked.keep_alive_seconds, asked.stream) == ("generate", 5400, False)


async def test_a_full_house_says_so() -> None:
    """More open answers than allowed: 503 with Retry-After, and room again afterwards."""
    async with client(FakeDesk([]), most_open=1) as c:
        waiting = c.open("POST", "/api/chat", CHAT)
        await c.desk.waited.wait()
        refused = await c.post("/api/chat", CHAT)
        c.desk.feed(*HELLO)
        await waiting.ended()
        c.desk.script = HELLO
        served = await c.post("/api/chat", CHAT)

    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert served.status == 200


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate", "/api/embed", "/v1/requests"])
async def test_a_configured_model_has_the_context_it_is_configured_with(path: str) -> None:
    """More is a 400 that names the field and admits nothing; as much, less, or another model's
    context passes."""
    config = ClusterConfig(models=(ModelConfig(name="m:latest", context_length=4096),))
    async with client(FakeDesk(config=config)) as c:

        async def ask(model: str, tokens: int) -> Exchange:
            more = {"prompt": "hi", "input": "hi"} if path.startswith("/api/") else {}
            return await c.post(
                path, {**CHAT, **more, "model": model, "options": {"num_ctx": tokens}}
            )

        refused = await ask("m", 4097)
        submitted = list(c.desk.submitted)
        passed = [(await ask(*each)).status for each in (("m", 4096), ("m", 512), ("n", 99_999))]

    assert (refused.status, submitted) == (400, [])
    assert "num_ctx" in refused.document["error"]
    assert "4096 tokens" in refused.document["error"]
    assert 400 not in passed


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions", "/v1/requests"])
async def test_who_has_not_sent_all_of_a_request_takes_no_place_from_others(path: str) -> None:
    """Three unfinished bodies in a house for one answer: another client is served; those that
    finish when the house is full are told so."""
    async with client(most_open=1) as c:
        slow = [c.open("POST", path, parts=[b"{"], unfinished=True) for _ in range(3)]
        await eventually(lambda: all(exchange.incoming.empty() for exchange in slow))
        served = await c.post("/api/chat", CHAT)

        c.desk.script = []
        c.desk.waited.clear()
        waiting = c.open("POST", "/api/chat", CHAT)
        await c.desk.waited.wait()
        slow[0].incoming.put_nowait({"type": "http.request", "body": b"}", "more_body": False})
        refused = await slow[0].ended()
        for exchange in (*slow[1:], waiting):
            exchange.leave()
            await exchange.ended()

        assert served.status == 200
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert (c.app.door.open, c.app.door.bodies.held) == (0, 0)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
async def test_a_server_that_ends_tells_its_clients_and_lets_the_work_go_on(
    path: str, stream: bool
) -> None:
    """An error in the protocol's words with the id in the headers, no cancel, and no exception
    that the server would log."""
    async with client(FakeDesk([piece(1, "He")])) as c:
        exchange = c.open("POST", path, {**CHAT, "stream": stream})
        await eventually(lambda: b"He" in exchange.body or len(c.desk.waits) > 1 - stream)
        await _cut_off(exchange)

    assert b"shutting down" in exchange.body
    assert exchange.headers["x-orion-request-id"] == c.desk.submitted[0].request_id
    assert exchange.status == (200 if stream else 503)
    assert c.desk.cancelled == []


@pytest.mark.parametrize("path", ["/api/chat", "/v1/requests", "/api/show"])
async def test_a_server_that_ends_answers_those_who_are_still_sending(path: str) -> None:
    """503 and when to ask again, not a broken connection."""
    async with client() as c:
        exchange = c.open("POST", path, parts=[b"{"], unfinished=True)
        await eventually(exchange.incoming.empty)
        await _cut_off(exchange)

    assert (exchange.status, exchange.headers["retry-after"]) == (503, "5")
    assert "shutting down" in exchange.document["error"]


async def test_a_server_that_ends_closes_event_streams() -> None:
    """Their readers take them up again where they were: the stream just ends."""
    async with client(FakeDesk([piece(1, "He")])) as c:
        await c.post("/v1/requests", CHAT, x_orion_request_id=ID)
        exchange = c.open("GET", f"/v1/requests/{ID}/events")
        await exchange.until(lambda: b"He" in exchange.body)
        await _cut_off(exchange)

    assert exchange.status == 200
    assert exchange.sent[-1] == {"type": "http.response.body", "body": b""}


async def _cut_off(exchange: Exchange) -> None:
    assert exchange.task is not None
    exchange.task.cancel()
    await exchange.ended()
    assert exchange.task.exception() is None
