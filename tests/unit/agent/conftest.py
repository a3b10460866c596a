"""A whole worker in process: fakeredis for the store, a scripted engine for Ollama."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import fakeredis
import orjson
import pytest
from redis.asyncio import Redis

from orion_agent.beat import Beat
from orion_agent.engine import Census, Done
from orion_agent.health import Identity
from orion_agent.metrics import Metrics
from orion_agent.outbox import Delta
from orion_agent.parts import Parts
from orion_agent.patience import Patience
from orion_agent.rates import Rates
from orion_agent.reporter import Reporter
from orion_agent.settings import Settings
from orion_agent.slots import Slots
from orion_agent.view import EngineView
from orion_agent.worker import Worker
from orion_contracts.errors import EngineError
from orion_contracts.health import DiskModel, ResidentModel
from orion_contracts.ledger import Ledger, ensure_library
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import describe
from orion_contracts.stamp import iso_now

Step = Delta | Done | Exception | Callable[[], Awaitable[None]]
SETTINGS = Settings(node_id="pi-1", health_interval_s=0.2, shutdown_grace_s=1.0)


class FakeEngine:
    """Says what `script` says: tokens, Done, an error to raise, or something to wait for."""

    def __init__(self) -> None:
        self.script: list[Step] = [{"content": "Hel"}, {"content": "lo"}, Done("stop", 3, 2)]
        self.resident = {"tiny:latest"}
        self.context = 0
        """That of every model in memory; 0: not told."""
        self.seen: list[InferenceRequest] = []
        self.loads = 0
        self.aborted = 0
        self.down: EngineError | None = None
        self.probe_error: EngineError | None = None
        self.load_gate: Callable[[], Awaitable[None]] | None = None
        self.closed = False

    async def run(self, request: InferenceRequest) -> AsyncIterator[Delta | Done]:
        """Play the script."""
        self.seen.append(request)
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                if callable(step):
                    await step()
                else:
                    yield step
        except anyio.get_cancelled_exc_class():
            self.aborted += 1
            raise

    async def load(self, request: InferenceRequest, keep_alive_s: int) -> None:
        """Make it resident, after the gate."""
        self.loads += 1
        if self.load_gate is not None:
            await self.load_gate()
        self.resident.add(f"{request.model}:latest")

    async def census(self, with_disk: bool) -> Census:
        """What is resident is on disk."""
        if self.down is not None:
            raise self.down
        names = sorted(self.resident)
        resident = tuple(
            ResidentModel(name=n, digest=n, context_length=self.context) for n in names
        )
        disk = tuple(DiskModel(name=n, digest=n, size_bytes=100) for n in names)
        return Census("0.30.0", resident, disk if with_disk else None)

    async def probe(self, model: str) -> None:
        """Works unless told otherwise."""
        if self.probe_error is not None:
            raise self.probe_error

    async def aclose(self) -> None:
        """Remember it."""
        self.closed = True


def make_request(**fields: Any) -> InferenceRequest:
    """A small streamed request."""
    given: dict[str, Any] = {"model": "tiny", "stream": True, **fields}
    return InferenceRequest(
        request_id=str(uuid4()), messages=({"role": "user", "content": "Hi"},),
        timestamp=iso_now(), source="test", **given,
    )  # fmt: skip


class Rig:
    """The parts of one worker, and the test's own view of the store."""

    def __init__(self, root: Path, settings: Settings = SETTINGS) -> None:
        server = fakeredis.FakeServer(version=(7, 0))
        self.store: Redis = fakeredis.FakeAsyncRedis(server=server)
        self._reads = fakeredis.FakeAsyncRedis(server=server)
        self.engine = FakeEngine()
        self.taken_over: list[str] = []
        who = Identity(settings.node_id, "life-1", settings.slots)
        view, slots, rates = EngineView(), Slots(settings.slots), Rates()
        reporter = Reporter(
            self.store, who, self.engine, view, slots, rates, root, settings.health_interval_s
        )
        beat = Beat(
            fakeredis.FakeRedis(server=server), who.node, who.incarnation,
            lambda: slots.running > 0, self.taken_over.append,
        )  # fmt: skip
        self.ledger = Ledger(self.store)
        self.parts = Parts(
            settings=settings, who=who, store=self.store, reads=self._reads, ledger=self.ledger,
            patience=Patience(self.store), engine=self.engine, view=view, slots=slots,
            rates=rates, reporter=reporter, beat=beat, metrics=Metrics(),
        )  # fmt: skip
        self.worker = Worker(self.parts)
        self.epoch = ""

    def with_settings(self, **changes: Any) -> Settings:
        """Other settings for another rig."""
        return replace(SETTINGS, **changes)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """The worker, from its first report to its orderly end."""
        await ensure_library(self.store)
        self.epoch = (await self.ledger.planner("test")).epoch
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.worker.run)
            with anyio.fail_after(3):
                while not self.parts.reporter.published_s:  # noqa: ASYNC110
                    await anyio.sleep(0.005)
            try:
                yield
            finally:
                self.worker.stop()

    async def give(self, request: InferenceRequest) -> str:
        """Admit and dispatch; the admission's state."""
        body = orjson.dumps(request.to_wire())
        meta = describe(request).to_bytes()
        done = await self.ledger.admit(request, body, meta, node="pi-1", epoch=self.epoch)
        return done.state

    async def final(self, request: InferenceRequest) -> dict[str, Any]:
        """Wait for the final."""
        found: dict[str, Any] = await self.until(lambda: self._final(request))
        return found

    async def _final(self, request: InferenceRequest) -> dict[str, Any] | None:
        entries: Any = await self.store.xrange(request.reply_stream)
        for _, fields in entries:
            if fields[b"type"] == b"final":
                return dict(orjson.loads(fields[b"payload"]))
        return None

    async def state(self, request: InferenceRequest) -> str:
        """The record's state."""
        value: Any = await self.store.hget(f"orion:inference:req:{request.request_id}", "state")
        return value.decode() if value else ""

    async def until(self, look: Callable[[], Awaitable[Any]], within_s: float = 3.0) -> Any:
        """The first true answer."""
        with anyio.fail_after(within_s):
            while not (found := await look()):  # noqa: ASYNC110
                await anyio.sleep(0.005)
            return found

    async def aclose(self) -> None:
        """Close the clients."""
        self.parts.beat.stop()
        self.parts.beat.join(2)
        await self._reads.aclose()
        await self.store.aclose()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A worker that is not running yet."""
    made = Rig(tmp_path)
    yield made
    await made.aclose()
