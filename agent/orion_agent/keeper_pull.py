"""One model on its way to the board's disk: progress, room on the disk, and no endless silence.

Ollama tries a stalled part of a download again for ever and says nothing; a board that does not
ask anew would wait with it. What has come stays, so asking again costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Literal

import anyio

from orion_agent import keeper_fit
from orion_agent.keeper_depot import Depot, Progress
from orion_contracts.errors import EngineError, EngineStalled

SILENT_S = 120.0
"""Ollama gives a part 30 s before it asks for it anew."""
SLOWEST_READ_BYTES_PER_S = 20e6
"""Verifying reads the whole file from a worn SD card."""
State = Literal["pulling", "copying", "verifying"]


class NoRoom(EngineError):
    """The disk is too small for it; the text is the arithmetic."""

    code = "no_room"


class Pull:
    """One attempt. `board`: the one it is copied from, by the relay that `name` leads to."""

    def __init__(
        self,
        depot: Depot,
        name: str,
        free_bytes: Callable[[], int | None],
        reserve_bytes: int,
        silent_s: float = SILENT_S,
        board: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._depot, self._name, self._clock = depot, name, clock
        self._free_bytes, self._reserve_bytes = free_bytes, reserve_bytes
        self._silent_s = silent_s
        self._files: dict[str, tuple[int, int]] = {}
        self._checked: set[str] = set()
        self._heard_s = clock()
        self._copies = bool(board)
        self.state: State = "copying" if board else "pulling"
        self.source = board or "registry"

    @property
    def completed_bytes(self) -> int:
        """Of all files known so far."""
        return sum(done for done, _ in self._files.values())

    @property
    def total_bytes(self) -> int:
        """The same; files are learned one after the other."""
        return sum(total for _, total in self._files.values())

    async def run(self) -> None:
        """Return when it is on disk. Raises EngineError."""
        failure: EngineError | None = None
        stalled = False
        async with anyio.create_task_group() as both:

            async def watch() -> None:
                nonlocal stalled
                while not stalled:
                    await anyio.sleep(min(1.0, self._silent_s / 4))
                    stalled = self._clock() - self._heard_s > self._allowed_s()
                both.cancel_scope.cancel()

            both.start_soon(watch)
            try:
                await self._read()
            except EngineError as error:
                failure = error
            both.cancel_scope.cancel()
        if stalled:
            raise EngineStalled(f"nothing came for {self._allowed_s():.0f} s ({self._shown()})")
        if failure is not None:
            raise failure

    async def _read(self) -> None:
        parts: Any = self._depot.pull(self._name, insecure=self._copies)
        async with aclosing(parts):
            async for part in parts:
                self._hear(part)

    def _hear(self, part: Progress) -> None:
        seen = (part.completed_bytes, part.total_bytes)
        if part.digest and self._files.get(part.digest) == seen:
            return  # repeated every 60 ms, also by a stalled download
        self._heard_s = self._clock()
        if part.status.startswith("verifying"):
            self.state = "verifying"
        if not part.digest:
            return
        self._files[part.digest] = seen
        if part.digest not in self._checked:
            self._checked.add(part.digest)
            missing = part.total_bytes - part.completed_bytes
            why = keeper_fit.disk_refusal(self._free_bytes(), self._reserve_bytes, missing)
            if why:
                raise NoRoom(why)

    def _allowed_s(self) -> float:
        if self.state == "verifying":
            return self._silent_s + self.total_bytes / SLOWEST_READ_BYTES_PER_S
        return self._silent_s

    def _shown(self) -> str:
        if not self.total_bytes:
            return "no file has begun"
        return (
            f"{keeper_fit.gib(self.completed_bytes)} of {keeper_fit.gib(self.total_bytes)} are here"
        )
