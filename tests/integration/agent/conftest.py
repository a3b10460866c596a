"""A real worker process between a real Valkey and a simulated board; the test plays the router."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import anyio
import httpx
import orjson
import pytest
from redis.asyncio import Redis

from orion_contracts import keys
from orion_contracts.ledger import Admission, Ledger, ensure_library
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import describe
from orion_contracts.stamp import iso_now
from orion_contracts.store import connect
from orion_lab.stores import StoreProcess, free_port
from orion_lab.testing import BoardProcess

MODEL = "smollm2:135m"
NODE = "pi-1"


class WorkerProcess:
    """One `orion-inference-worker`."""

    def __init__(self, store: str, ollama: str, log: Path, *flags: str) -> None:
        self.http_port, self.metrics_port = free_port(), free_port()
        self._log = log
        self._command = [
            sys.executable, "-m", "orion_agent.main", "--node-id", NODE, "--redis-addr", store,
            "--ollama-host", ollama, "--http-host", "127.0.0.1", "--http-port",
            str(self.http_port), "--metrics-port", str(self.metrics_port), *flags,
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; `said` waits for what it logs."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stderr=log, stdin=subprocess.DEVNULL)
        return self

    def log(self) -> str:
        """Everything it has said."""
        return self._log.read_text()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    async def exit_code(self, within_s: float) -> int:
        """Its exit code."""
        process = self.process
        assert process is not None
        await until(lambda: process.poll() is not None, within_s, "the worker ends")
        assert process.returncode is not None
        return process.returncode

    def get(self, path: str) -> httpx.Response:
        """GET from its HTTP port."""
        return httpx.get(f"http://127.0.0.1:{self.http_port}{path}", trust_env=False)

    def close(self) -> None:
        """End it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()


async def until(
    condition: Callable[[], Any], within_s: float = 10.0, what: str = "the condition"
) -> Any:
    """The condition's first true answer (it may be a coroutine function)."""
    deadline = time.monotonic() + within_s
    while True:
        answer = condition()
        if hasattr(answer, "__await__"):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within_s} s: {what}")
        await anyio.sleep(0.02)


@dataclass
class Bench:
    """Store, board and worker of one test."""

    store: StoreProcess
    board: BoardProcess
    client: Redis
    ledger: Ledger
    log: Path
    epoch: str = ""
    workers: list[WorkerProcess] = field(default_factory=list[WorkerProcess])

    def worker(self, *flags: str) -> WorkerProcess:
        """One more worker, not started."""
        made = WorkerProcess(
            self.store.url, self.board.url, self.log / f"worker{len(self.workers)}.log", *flags
        )
        self.workers.append(made)
        return made

    async def up(self, *flags: str) -> WorkerProcess:
        """A worker that has reported its health."""
        worker = self.worker(*flags).start()
        await until(lambda: self.client.exists(keys.node_health(NODE)), 20, "the first report")
        return worker

    def request(self, text: str = "Say hi please", **fields: Any) -> InferenceRequest:
        """A request for 16 tokens unless told otherwise."""
        given: dict[str, Any] = {"stream": True, "options": {"num_predict": 16}, **fields}
        return InferenceRequest(
            request_id=str(uuid4()), model=given.pop("model", MODEL),
            messages=({"role": "user", "content": text},), timestamp=iso_now(), source="test",
            **given,
        )  # fmt: skip

    async def give(self, request: InferenceRequest) -> Admission:
        """Admit and dispatch, as a router does."""
        body = orjson.dumps(request.to_wire())
        return await self.ledger.admit(
            request, body, describe(request).to_bytes(), node=NODE, epoch=self.epoch, depth=16
        )

    async def events(self, stream: str) -> list[tuple[str, dict[str, Any]]]:
        """What a reply stream holds."""
        entries: Any = await self.client.xrange(stream)
        return [(f[b"type"].decode(), orjson.loads(f[b"payload"])) for _, f in entries]

    async def final(self, request: InferenceRequest, within_s: float = 15.0) -> dict[str, Any]:
        """The request's final."""

        async def look() -> dict[str, Any] | None:
            seen = await self.events(request.reply_stream)
            return next((payload for kind, payload in seen if kind == "final"), None)

        found: dict[str, Any] = await until(look, within_s, f"a final of {request.request_id}")
        return found

    async def facts(self, request: InferenceRequest) -> dict[str, str]:
        """The record's fields."""
        found: Any = await self.client.hgetall(keys.record(request.request_id))
        return {k.decode(): v.decode() for k, v in found.items() if k not in (b"body", b"meta")}

    async def in_state(self, request: InferenceRequest, state: str, within_s: float = 15.0) -> None:
        """Wait for the record's state."""

        async def there() -> bool:
            return (await self.facts(request)).get("state") == state

        await until(there, within_s, f"{request.request_id} {state}")

    async def health(self) -> dict[str, Any]:
        """The node's health hash."""
        found: Any = await self.client.hgetall(keys.node_health(NODE))
        return {k.decode(): orjson.loads(v) for k, v in found.items()}

    async def until(self, look: Callable[[], Any], within_s: float, what: str) -> Any:
        """The first true answer."""
        return await until(look, within_s, what)

    async def engine_says(self, name: str, value: bool, within_s: float = 10.0) -> None:
        """Wait for a field of the health report's engine."""

        async def there() -> bool:
            return (await self.health()).get("engine", {}).get(name) is value

        await until(there, within_s, f"engine.{name} is {value}")


@pytest.fixture
def board() -> Iterator[BoardProcess]:
    """A board whose tokens cost no time, unless a fault delays them."""
    with BoardProcess() as process:
        yield process


@pytest.fixture
async def bench(valkey: StoreProcess, board: BoardProcess, tmp_path: Path) -> AsyncIterator[Bench]:
    """Everything but the worker; whatever workers a test starts are ended."""
    async with connect(valkey.url, retries=20) as client:
        await ensure_library(client)
        made = Bench(valkey, board, client, Ledger(client), tmp_path)
        made.epoch = (await made.ledger.planner("test")).epoch
        try:
            yield made
        finally:
            for worker in made.workers:
                worker.close()
