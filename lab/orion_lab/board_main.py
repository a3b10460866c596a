"""`orion-lab-board`: one process, one or several simulated boards on loopback.

When every board listens, one JSON line on standard output says where; everything after that is
HTTP. The boards of one process share one engine.
"""

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from orion_lab import world
from orion_lab.board import Board, BoardSettings
from orion_lab.board_server import Seat, listen, serve, stop_on_signals
from orion_lab.boards import CATALOGUE, board
from orion_lab.engines import make_engine
from orion_lab.models import CATALOGUE as MODELS
from orion_lab.models import ModelSpec, model


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="orion-lab-board", description=__doc__)
    add = made.add_argument
    add("--board", action="append", metavar="NAME:PORT:SPEC", default=[])
    add("--spec-file", type=Path, help='JSON: {"boards": [{"name", "port", "spec", ...flags}]}')
    add("--port", type=int, default=0, help="for a single board without --board; 0 takes any")
    add("--name", default="board", help="its name")
    add("--spec", default="pi-8gb", help=f"its hardware: {', '.join(CATALOGUE)}")
    add("--engine", choices=("canned", "llama"), default="canned")
    add("--engine-slots", type=int, default=4, help="answers the llama engine writes at a time")
    add("--engine-threads", type=int, default=2, help="threads it computes with")
    add("--engine-cache-mib", type=int, default=256, help="its host prompt cache")
    add("--models", default="smollm2:135m", help="on disk, comma-separated; NAME=GB for any size")
    add("--registry", default="", help="what can be pulled, like --models; empty: the catalogue")
    add("--pull-rate", type=float, default=0.0, help="bytes per board second; 0: the board's own")
    add("--slots", type=int, default=1, help="OLLAMA_NUM_PARALLEL")
    add("--max-loaded", type=int, default=0, help="OLLAMA_MAX_LOADED_MODELS; 0: the board's own")
    add("--max-queue", type=int, default=world.DEFAULT_MAX_QUEUE, help="OLLAMA_MAX_QUEUE")
    add("--keep-alive", type=float, default=world.DEFAULT_KEEP_ALIVE_S, help="seconds")
    add("--cached-prompts", type=int, default=1, help="conversations a loaded model remembers")
    add("--speed", type=float, default=1.0, help="board seconds per second")
    add("--ambient", type=float, default=world.AMBIENT_C, help="degrees Celsius")
    add("--version-string", default="0.30.0", help="what /api/version says")
    add("--root", type=Path, help="write DIR/NAME/sys and DIR/NAME/proc here")
    add("--seed", type=int, default=0)
    add("--exit-with-stdin", action="store_true", help="end when standard input does")
    return made


def settings(arguments: argparse.Namespace) -> list[tuple[BoardSettings, int]]:
    """The boards the command line asks for, with their ports.

    Raises:
        ValueError: an unknown board or model, a malformed `--board`.
    """
    entries: list[dict[str, Any]] = []
    for text in arguments.board:
        parts = text.split(":")
        if len(parts) != 3 or not parts[1].isdigit():
            raise ValueError(f"--board wants NAME:PORT:SPEC, got {text!r}")
        entries.append({"name": parts[0], "port": int(parts[1]), "spec": parts[2]})
    if arguments.spec_file:
        entries += json.loads(arguments.spec_file.read_text())["boards"]
    if not entries:
        one = {"name": arguments.name, "port": arguments.port, "spec": arguments.spec}
        entries.append(one)
    return [(_settings(arguments, entry), int(entry.get("port", 0))) for entry in entries]


def _settings(arguments: argparse.Namespace, entry: dict[str, Any]) -> BoardSettings:
    def pick(key: str) -> Any:
        return entry.get(key, getattr(arguments, key))

    def specs(key: str) -> dict[str, ModelSpec]:
        names = pick(key)
        listed = names.split(",") if isinstance(names, str) else names
        return {each.name: each for each in map(model, filter(None, listed))}

    return BoardSettings(
        name=entry["name"],
        spec=board(entry.get("spec", "pi-8gb")),
        models=specs("models"),
        registry=specs("registry") or dict(MODELS),
        pull_bytes_per_s=float(pick("pull_rate")),
        slots=int(pick("slots")),
        max_loaded=int(pick("max_loaded")),
        max_queue=int(pick("max_queue")),
        keep_alive_s=float(pick("keep_alive")),
        speed=float(pick("speed")),
        ambient_c=float(pick("ambient")),
        version=pick("version_string"),
        cached_prompts=int(pick("cached_prompts")),
        seed=int(pick("seed")),
    )


async def run(arguments: argparse.Namespace) -> None:
    """Serve until a signal, or until standard input ends where that was asked for.

    Raises:
        ValueError: see `settings`.
        OSError: a port is taken.
    """
    wanted = settings(arguments)
    engine, why = await asyncio.to_thread(
        make_engine, arguments.engine, arguments.engine_slots, arguments.engine_cache_mib,
        arguments.engine_threads,
    )  # fmt: skip
    seats = [Seat(Board(each, engine), listen(port)) for each, port in wanted]
    stop, ready = asyncio.Event(), asyncio.Event()
    stop_on_signals(stop)
    if arguments.exit_with_stdin:
        await _stop_with_stdin(stop)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(seats, arguments.root, stop, ready), name="boards")
            await ready.wait()
            print(json.dumps(_ready(seats, engine.name, why)), flush=True)
    finally:
        engine.close()


def _ready(seats: Sequence[Seat], engine: str, why: str) -> dict[str, object]:
    boards = [
        {
            "name": seat.board.settings.name,
            "port": seat.port,
            "url": f"http://127.0.0.1:{seat.port}",
            "spec": seat.board.spec.name,
        }
        for seat in seats
    ]
    first: dict[str, object] = {
        "ready": True,
        "port": seats[0].port,
        "boards": boards,
        "engine": engine,
    }
    return {**first, "why": why} if why else first


async def _stop_with_stdin(stop: asyncio.Event) -> None:
    # The parent holds the other end: however it dies, this end closes and no board outlives it.
    class _Ends(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            stop.set()

    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(_Ends, sys.stdin)


def main(argv: Sequence[str] | None = None) -> None:
    """Run; a wrong command line or a taken port exits with 2 and says why."""
    arguments = parser().parse_args(argv)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(run(arguments))
    except (ValueError, OSError) as error:
        sys.exit(f"orion-lab-board: {error}")


if __name__ == "__main__":
    main()
