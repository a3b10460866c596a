"""Clients that leave, stores that are away, and a router that ends with answers open."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import anyio
import httpx
import orjson
import pytest

from orion_lab.stack import Stack
from orion_lab.trials.until import until
from orion_router import serve
from orion_router.gateway import create_app
from orion_router.settings import Settings
from unit.gateway.gateway_harness import CHAT, ID, FakeDesk, FakeVitals, piece

SETTINGS = Settings.read(["--http-port", "0", "--http-host", "127.0.0.1"], {})
MODEL = "smollm2:135m"
BODY = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Hello"}],
    "options": {"num_predict": 2000},
}


@pytest.fixture
def stack() -> Iterator[Stack]:
    """One board with four slots that takes its time for every token."""
    flags = ["--slots", "4"]
    with Stack(["pi-a:zero"], board_flags=flags, worker_flags=flags) as stack:
        stack.boards["pi-a"].set_fault(token_delay_ms=200)
        yield stack


@pytest.mark.needs("valkey9")
def test_a_client_that_leaves_while_the_store_is_away_frees_its_board(stack: Stack) -> None:
    """The store is killed, the client goes, the store comes back: the request is cancelled,
    although nobody asks for it any more."""
    with stack.http.stream("POST", f"{stack.url}/api/chat", json=BODY) as answer:
        next(answer.iter_lines())
        request_id = answer.headers["x-orion-request-id"]
        stack.kill("store")
    log = stack.programs["router-0"].log
    owed = f"{request_id}: the store is away"
    stack.wait_until(lambda: owed in log.read_text(), "the cancel is owed", 30.0)
    stack.restart("store")

    stack.wait_until(lambda: _state(stack, request_id) == "CANCELLED", "it is cancelled", 30.0)
    done = f"{request_id}: cancelled, now that the store takes it"
    stack.wait_until(lambda: done in log.read_text(), "and it is said", 10.0)
    assert "Traceback" not in log.read_text()


@pytest.mark.needs("valkey9")
def test_a_router_told_twice_to_end_says_so_to_everybody(stack: Stack) -> None:
    """Streams, whole answers, event streams and waiting submissions are ended in their own
    words, at once; its log has no traceback and no task is lost."""
    router = stack.programs["router-0"]
    pid = router.pid
    assert pid is not None
    with ExitStack() as closing:
        http = closing.enter_context(httpx.Client(trust_env=False, timeout=30))
        calls = [
            ("POST", "/api/chat", BODY),
            ("POST", "/v1/chat/completions", {**BODY, "stream": True, "max_tokens": 2000}),
        ]
        streams: list[Iterator[str]] = []
        last = ""
        for method, path, body in calls:
            answer = closing.enter_context(http.stream(method, stack.url + path, json=body))
            lines = answer.iter_lines()
            next(lines)
            streams.append(lines)
            last = answer.headers["x-orion-request-id"]
        url = f"{stack.url}/v1/requests/{last}/events"
        events = closing.enter_context(http.stream("GET", url)).iter_lines()
        next(events)

        os.kill(pid, signal.SIGTERM)
        stack.wait_until(lambda: "SIGTERM: ending" in router.tail(), "it heard it")
        os.kill(pid, signal.SIGTERM)
        native, openai = ([line for line in lines if line] for lines in streams)
        list(events)  # to its end: httpx raises where there is none

    assert "shutting down" in orjson.loads(native[-1])["error"]
    assert "shutting down" in openai[-1]
    until(lambda: router.gone is not None, 10, "it ended")
    assert router.gone == 0
    said = router.log.read_text()
    assert "Traceback" not in said
    assert said.count("cut off by the server's end") == 3


async def test_answers_open_when_the_routers_patience_ends_are_cut_off_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One signal: open answers may go on for a while; then each is ended in its own words."""
    monkeypatch.setattr(serve, "DRAIN_S", 1)
    desk = FakeDesk([piece(1, "He")])
    server = serve._http_server(SETTINGS, create_app(desk, FakeVitals(), "0.1.0"))  # pyright: ignore[reportPrivateUsage]
    ended: list[str] = []

    async def ask(url: str, path: str, *, began: anyio.Event) -> None:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            headers = {"x-orion-request-id": ID}
            async with http.stream("POST", path, json=CHAT, headers=headers) as answer:
                async for chunk in answer.aiter_text():
                    began.set()
                    ended.append(chunk)

    with caplog.at_level(logging.INFO):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve)
            with anyio.fail_after(10):
                while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                    await anyio.sleep(0.01)
                port = server.servers[0].sockets[0].getsockname()[1]
                began = anyio.Event()
                tasks.start_soon(lambda: ask(f"http://127.0.0.1:{port}", "/api/chat", began=began))
                await began.wait()
                server.should_exit = True

    assert "shutting down" in ended[-1]
    assert not [record for record in caplog.records if record.exc_info]
    assert not server.server_state.tasks


def _state(stack: Stack, request_id: str) -> str:
    try:
        found = stack.http.get(f"{stack.url}/v1/requests/{request_id}")
    except httpx.HTTPError:
        return ""
    return str(found.json().get("state", "")) if found.is_success else ""
