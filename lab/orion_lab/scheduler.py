"""Ollama's scheduler: which models are loaded, who waits for a load, who is evicted.

A loaded model is handed over at once and without limit; everything else queues for the one load
at a time. That asymmetry is Ollama's, and the reason why a router needs admission of its own.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf

from orion_lab.errors import queue_full
from orion_lab.models import ModelSpec


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Load-time options: a request that differs reloads the model."""

    context_tokens: int
    others: tuple[tuple[str, object], ...] = ()


@dataclass(slots=True, eq=False)
class Runner:
    """A loaded model, the requests that hold it, and the slots they share."""

    model: ModelSpec
    fingerprint: Fingerprint
    slots: asyncio.Semaphore
    keep_s: float
    users: int = 0
    expires_epoch_s: float = 0.0
    timer: asyncio.TimerHandle | None = None
    # Ordered prompts whose KV cache the runner still has, most recent last.
    prefixes: list[str] = field(default_factory=list[str])
    unloaded: asyncio.Event = field(default_factory=asyncio.Event)


Load = Callable[[ModelSpec, Fingerprint], Awaitable[None]]


class Scheduler:
    """The models of one board. `load` takes the time a load takes, or raises."""

    def __init__(
        self, load: Load, *, slots: int, max_loaded: int, max_queue: int, keep_alive_s: float
    ) -> None:
        self._load = load
        self._slots = slots
        self._max_loaded = max_loaded
        self._max_queue = max_queue
        self._keep_s = keep_alive_s
        self._loading = asyncio.Lock()
        self._pending = 0
        # By digest: two tags of one file share a runner.
        self.runners: dict[str, Runner] = {}

    async def acquire(
        self, model: ModelSpec, fingerprint: Fingerprint, keep_s: float | None
    ) -> Runner:
        """A loaded runner, held until `release`.

        Cancelling the caller while it loads aborts the load, as a leaving client does.

        Raises:
            ApiError: 503 when too many wait for a load; whatever the load itself raises.
        """
        runner = self.runners.get(model.digest)
        if runner is not None and runner.fingerprint == fingerprint:
            return self._hold(runner, keep_s)
        if self._pending >= self._max_queue:
            raise queue_full()
        self._pending += 1
        try:
            await self._loading.acquire()
        finally:
            self._pending -= 1
        try:
            return await self._acquire_locked(model, fingerprint, keep_s)
        finally:
            self._loading.release()

    async def _acquire_locked(
        self, model: ModelSpec, fingerprint: Fingerprint, keep_s: float | None
    ) -> Runner:
        runner = self.runners.get(model.digest)
        if runner is not None and runner.fingerprint == fingerprint:
            return self._hold(runner, keep_s)
        if runner is not None:
            await self._evict(runner)
        while len(self.runners) >= self._max_loaded:
            await self._evict(self._victim())
        await self._load(model, fingerprint)
        keep = self._keep_s if keep_s is None else keep_s
        runner = Runner(model, fingerprint, asyncio.Semaphore(self._slots), keep)
        runner.expires_epoch_s = time.time() + keep
        self.runners[model.digest] = runner
        return self._hold(runner, None)

    def release(self, runner: Runner) -> None:
        """Give the runner back; the last one starts its keep-alive."""
        runner.users -= 1
        if runner.users > 0 or self.runners.get(runner.model.digest) is not runner:
            return
        runner.expires_epoch_s = time.time() + runner.keep_s
        if runner.keep_s <= 0:
            self._drop(runner)
        elif runner.keep_s < inf:
            loop = asyncio.get_running_loop()
            runner.timer = loop.call_later(runner.keep_s, self._drop, runner)

    def expire(self, model: ModelSpec) -> None:
        """Unload as soon as nobody holds it."""
        runner = self.runners.get(model.digest)
        if runner is not None:
            self._doom(runner)

    def crash(self) -> None:
        """Every runner dies at once, as after the kernel's out-of-memory killer."""
        for runner in list(self.runners.values()):
            self._drop(runner)

    def _hold(self, runner: Runner, keep_s: float | None) -> Runner:
        runner.users += 1
        if runner.timer is not None:
            runner.timer.cancel()
            runner.timer = None
        if keep_s is not None:
            runner.keep_s = keep_s
        return runner

    def _victim(self) -> Runner:
        # Idle ones first, then the shortest keep-alive, ties by path (here: digest).
        return min(
            self.runners.values(), key=lambda each: (each.users > 0, each.keep_s, each.model.digest)
        )

    async def _evict(self, runner: Runner) -> None:
        self._doom(runner)
        await runner.unloaded.wait()

    def _doom(self, runner: Runner) -> None:
        runner.keep_s = 0.0
        if runner.users == 0:
            self._drop(runner)

    def _drop(self, runner: Runner) -> None:
        if runner.timer is not None:
            runner.timer.cancel()
            runner.timer = None
        if self.runners.get(runner.model.digest) is runner:
            del self.runners[runner.model.digest]
        runner.unloaded.set()
