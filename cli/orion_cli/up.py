"""`orion up`: store, router, boards and their agents on this computer, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from orion_cli import plan, state
from orion_cli.boards import LOCAL_OLLAMA, choose, parse_node
from orion_cli.calling import as_called
from orion_cli.child import ChildFailed
from orion_cli.launch import Wishes, launch
from orion_cli.ports import answers, need_free
from orion_cli.problem import INTERRUPTED, Problem
from orion_cli.stage import Stage
from orion_cli.supervisor import Supervisor

BOARDS_WITHIN_S = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line. `engine` and `speed` None: not given."""

    nodes: tuple[str, ...] = ()
    port: int = 8080
    engine: str | None = None
    speed: float | None = None
    data: Path | None = None
    live: bool = True


def run(options: Options) -> int:
    """Until Ctrl-C; the exit code."""
    for text in options.nodes:
        parse_node(text)  # a slip of the pen is told before anything is touched
    data = (options.data or state.state_folder() / "data").absolute()
    with state.hold(data):
        need_free(options.port)
        for folder in ("store", "logs", "boards", "unknown"):
            state.make_folder(data / folder)
        return asyncio.run(_Up(options, plan.Place(data)).run())


class _Up:
    """One run: start in order, watch, stop in order."""

    def __init__(self, options: Options, place: plan.Place) -> None:
        self._options = options
        self._place = place
        self._stage = Stage(options.live)
        self._supervisor = Supervisor(self._stage.say, self._stage.problem, self._announce)
        self._began = time.monotonic()
        self._signals = 0
        self._stopping = asyncio.Event()
        self._run: state.Run | None = None
        self._ending = False

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        working = asyncio.create_task(self._work(), name="up")
        stopped = asyncio.create_task(self._stopping.wait(), name="stop")
        try:
            await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            working.cancel()
            stopped.cancel()
            (failure, _) = await asyncio.gather(working, stopped, return_exceptions=True)
            await self._stop()
        if isinstance(failure, BaseException) and not isinstance(failure, asyncio.CancelledError):
            raise failure
        return INTERRUPTED if self._signals > 1 else 0

    def _on_signal(self) -> None:
        self._signals += 1
        self._stopping.set()
        if self._signals > 1:
            self._supervisor.kill()

    async def _work(self) -> None:
        options = self._options
        choice = choose(
            options.nodes,
            ollama_here=not options.nodes and await answers(LOCAL_OLLAMA),
            simulate=options.engine is not None or options.speed is not None,
            hostname=socket.gethostname().split(".")[0],
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        )
        wishes = Wishes(
            port=options.port, engine=options.engine or "llama", speed=options.speed or 1.0
        )
        try:
            run = await launch(choice, wishes, self._place, self._supervisor, self._stage)
        except ChildFailed as error:
            raise Problem(str(error), f"all logs are in {self._place.logs}") from error
        self._run = run
        self._announce()
        async with httpx.AsyncClient(base_url=run.url, trust_env=False, timeout=3.0) as http:
            await self._stage.wait_for_boards(http, run, BOARDS_WITHIN_S)
            await self._stage.welcome(http, run, choice, time.monotonic() - self._began)
            await self._stage.watch(http, run)

    def _announce(self) -> None:
        """Other commands find us, and which processes are ours now."""
        if self._run is not None and not self._ending:
            self._run = replace(self._run, pids=self._supervisor.pids)
            state.announce(self._run)

    async def _stop(self) -> None:
        self._stage.close()
        self._ending = True
        if self._run is not None:
            state.withdraw(self._run)
        running = self._supervisor.pids
        if running:
            self._stage.say("stopping in order; Ctrl-C again ends everything at once")
        agents = [name for name in running if name.startswith("agent ")]
        await self._supervisor.stop([["router"], agents, ["boards"]], plan.STOP_GRACE_S)
        if self._run is not None:
            self._stage.say(
                as_called("stopped; accepted requests are kept for the next `orion up`")
            )
