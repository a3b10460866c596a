"""Starts what `orion up` consists of: the store, then router and boards, then the agents."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from orion_cli import plan, state
from orion_cli.boards import Board, Choice
from orion_cli.children import PythonChild, StoreChild
from orion_cli.ports import HOST, answers, refusal
from orion_cli.problem import Problem
from orion_cli.supervisor import Supervisor
from orion_lab.stores import StoreError, StoreProcess, free_port


class Audience(Protocol):
    """Who is told how it goes."""

    def say(self, text: str) -> None:
        """Progress."""
        ...

    def problem(self, text: str) -> None:
        """Something to see to."""
        ...

    def loud(self, text: str) -> None:
        """Something that must not be overlooked."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks of the processes."""

    port: int
    engine: str
    speed: float


async def launch(
    choice: Choice, wishes: Wishes, place: plan.Place, supervisor: Supervisor, audience: Audience
) -> state.Run:
    """Start everything. Raises ChildFailed or Problem; what was started stays to be stopped."""
    password = state.password_file(place.data)
    secret = password.read_text().strip()
    store = _store(place, secret)
    await supervisor.open()
    await supervisor.start(StoreChild(store))
    audience.say(f"store: Valkey on {HOST}:{store.port}, every write on disk in {store.directory}")
    address = f"{HOST}:{store.port}"
    flags = plan.store_flags(address, password)
    router = plan.router(flags, wishes.port, free_port())
    boards, _ = await together(
        _locate(choice, wishes, place, supervisor, audience),
        _python("router", router, wishes.port, place, supervisor, audience),
    )
    starting: list[Coroutine[Any, Any, None]] = []
    for board in boards:
        if board.eligible:
            port = free_port()
            agent = plan.worker(board, flags, board.url, port, free_port(), place)
            name = f"agent {board.name}"
            starting.append(_python(name, agent, port, place, supervisor, audience))
    await together(*starting)
    return state.Run(
        pid=os.getpid(),
        url=f"http://{HOST}:{wishes.port}",
        redis_addr=address,
        redis_password=secret,
        data=str(place.data),
        started_at=time.time(),
        excluded=tuple(_as_excluded(board) for board in boards if not board.eligible),
        ollama_hosts=tuple(board.url for board in boards if board.eligible),
    )


async def together(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """All at once; the first failure ends the others and is raised as it is."""
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _store(place: plan.Place, password: str) -> StoreProcess:
    """On the port of last time where it is free: other producers may have written it down."""
    remembered = place.data / "store.port"
    port = 0
    with contextlib.suppress(OSError, ValueError):
        port = int(remembered.read_text())
    if not port or refusal(port):
        port = free_port()
        remembered.write_text(str(port))
    try:
        return StoreProcess("valkey9", place.store, port=port, password=password)
    except StoreError as error:
        raise Problem(str(error), "`make up` installs everything it needs") from error


async def _locate(
    choice: Choice, wishes: Wishes, place: plan.Place, supervisor: Supervisor, audience: Audience
) -> tuple[Board, ...]:
    """The boards with their addresses; simulated ones are started."""
    if choice.kind != "simulated":
        for board in choice.boards:
            audience.say(f"board {board.name}: the Ollama at {board.url}")
            if not await answers(board.url):
                audience.problem(
                    f"{board.name}: no Ollama answers at {board.url} yet. Is it running, and does "
                    "it listen there (OLLAMA_HOST=0.0.0.0 on the board)?"
                )
        return choice.boards
    ports = {board.name: free_port() for board in choice.boards}
    command = plan.simulated_boards(choice.boards, ports, wishes.engine, wishes.speed, place)
    told: list[str] = []

    async def ready(said: str) -> bool:
        lines = [line for line in said.splitlines() if line.startswith('{"ready"')]
        if not lines:
            return False
        document = json.loads(lines[-1])
        if why := document.get("why"):
            audience.loud(str(why))
        elif wishes.engine == "canned" and not told:
            audience.loud("canned tokens, not a real model's: --engine canned asked for them")
        if not told:
            audience.say(f"boards: {len(ports)} simulated ones, engine {document.get('engine')}")
        told.append("once")
        return True

    log = place.logs / "boards.log"
    await supervisor.start(PythonChild("boards", command, log, ready))
    return tuple(
        replace(board, url=f"http://{HOST}:{ports[board.name]}") for board in choice.boards
    )


async def _python(
    name: str,
    command: list[str],
    port: int,
    place: plan.Place,
    supervisor: Supervisor,
    audience: Audience,
) -> None:
    async def ready(_: str) -> bool:
        return await answers(f"http://{HOST}:{port}", "/livez")

    log: Path = place.logs / f"{name.replace(' ', '-')}.log"
    await supervisor.start(PythonChild(name, command, log, ready))
    audience.say(f"{name} started")


def _as_excluded(board: Board) -> dict[str, str]:
    return {"name": board.name, "class_name": board.class_name, "why": board.why}
