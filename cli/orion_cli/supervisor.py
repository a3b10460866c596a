"""Keeps the processes of `orion up` running, and stops them in order.

A process that dies is started again after a pause that doubles while it keeps dying; who watches
is told each time. Nothing is lost meanwhile: the store remembers every accepted request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from orion_cli.child import Child, ChildFailed, describe
from orion_cli.guarding import Guard

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
STEADY_AFTER_S = 30.0
"""A process that ran so long begins with the first pause again."""


def next_pause(last_s: float, ran_s: float) -> float:
    """How long to wait before the next start (pure)."""
    if last_s == 0 or ran_s >= STEADY_AFTER_S:
        return FIRST_PAUSE_S
    return min(last_s * 2, LONGEST_PAUSE_S)


class Supervisor:
    """Runs children. `say` is told what happens to them, `problem` what is bad, `changed` when
    their process ids are others than before."""

    def __init__(
        self,
        say: Callable[[str], None],
        problem: Callable[[str], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._say = say
        self._problem = problem
        self._changed = changed
        self._guard = Guard()
        self._children: list[Child] = []
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._watched: dict[str, int] = {}

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run now, by name."""
        found = {child.name: child.pid for child in self._children if child.pid is not None}
        return found | ({"guard": pid} if (pid := self._guard.pid) else {})

    async def open(self) -> None:
        """Before the first child: start what cleans up should we die, and keep it running."""
        await self._guard.start()
        self._keepers["guard"] = asyncio.create_task(self._keep_guard(), name="guard")

    async def _keep_guard(self) -> None:
        while True:
            await self._guard.wait()
            await asyncio.sleep(FIRST_PAUSE_S)
            await self._guard.start()
            for pid in self._watched.values():
                self._guard.tell("+", pid)
            self._changed()

    async def start(self, child: Child) -> None:
        """Start a child, wait until it is ready, keep it running. Raises ChildFailed."""
        self._children.append(child)
        await self._begin(child)
        self._keepers[child.name] = asyncio.create_task(self._keep(child), name=child.name)

    async def _begin(self, child: Child) -> None:
        starting = asyncio.create_task(child.start(), name=f"start {child.name}")
        try:
            while not starting.done():  # the guard hears of it before it is ready
                await asyncio.wait([starting], timeout=0.02)
                self._watch(child)
            await starting
        except BaseException:
            starting.cancel()
            child.kill()
            await asyncio.gather(starting, return_exceptions=True)
            self._forget(child)
            raise

    def _watch(self, child: Child) -> None:
        if child.pid is not None and child.pid != self._watched.get(child.name):
            self._watched[child.name] = child.pid
            self._guard.tell("+", child.pid)
            self._changed()

    def _forget(self, child: Child) -> None:
        if (pid := self._watched.pop(child.name, None)) is not None:
            self._guard.tell("-", pid)
            self._changed()

    async def _keep(self, child: Child) -> None:
        clock = asyncio.get_running_loop().time
        pause = 0.0
        while True:
            since = clock()
            status = await child.wait()
            self._forget(child)
            how = f" ({describe(status)})" if status else ""
            pause = next_pause(pause, clock() - since)
            self._problem(f"{child.name} died{how}: starting it again; nothing is lost")
            await asyncio.sleep(pause)
            try:
                await self._begin(child)
            except ChildFailed as error:
                self._problem(f"{error}\n  trying again")
            else:
                self._say(f"{child.name} is back (pid {child.pid})")

    async def stop(self, stages: Sequence[Sequence[str]], grace_s: float) -> None:
        """Stop the named children stage by stage, then all others, the last started first."""
        for keeper in self._keepers.values():
            keeper.cancel()
        await asyncio.gather(*self._keepers.values(), return_exceptions=True)
        named = {name for stage in stages for name in stage}
        rest = [[child.name] for child in reversed(self._children) if child.name not in named]
        for stage in [*stages, *rest]:
            stopping = [child for child in self._children if child.name in stage and child.pid]
            if stopping:
                self._say(f"stopping {', '.join(child.name for child in stopping)}")
            await asyncio.gather(*(child.stop(grace_s) for child in stopping))
            for child in stopping:
                self._forget(child)
        await self._guard.stop()

    def kill(self) -> None:
        """SIGKILL to all, now."""
        for child in reversed(self._children):
            child.kill()
