"""What is measured: three boards that cost no time, three workers, one router, one store."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from orion_lab.bench import processes
from orion_lab.bench.disk import file_system
from orion_lab.bench.job import Target, ollama
from orion_lab.stack import Stack

BOARDS = ("pi-a", "pi-b", "pi-c")
SLOTS = 32
MODEL = "smollm2:135m"
ROUTER, STORE = "router-0", "store"
WORKERS = tuple(f"worker-{name}" for name in BOARDS)
Fsync = Literal["always", "everysec"]


class Rig:
    """The running system, and its meters."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._client = stack.client()
        # A rewrite in mid-measurement would make the file smaller.
        self._client.config_set("auto-aof-rewrite-percentage", 0)
        self.data_dir = stack.directory / "store"
        self.file_system = file_system(self.data_dir)
        self.store_version = str(self._info("server").get("valkey_version", "?"))
        self.through = ollama("through", [_port(stack.url)], MODEL)
        boards = [_port(board.url) for board in stack.boards.values()]
        self.board_ports = boards
        self.direct = ollama("direct", boards, MODEL)

    @property
    def pids(self) -> dict[str, int]:
        """The processes whose CPU time counts."""
        names = (ROUTER, *WORKERS, STORE)
        return {name: pid for name in names if (pid := self._stack.pid(name)) is not None}

    def target(self, name: str, port: int) -> Target:
        """The same request to something else that speaks Ollama's protocol."""
        return ollama(name, [port], MODEL)

    def set_fsync(self, mode: Fsync) -> None:
        """From now on."""
        self._client.config_set("appendfsync", mode)

    def aof_bytes(self) -> int:
        """Size of the append-only file."""
        return int(self._info("persistence")["aof_current_size"])

    def aof_writes(self) -> int:
        """How often the store wrote to its append-only file; `always` syncs after each.

        The kernel counts all its write calls, the store itself those to sockets.
        """
        sockets = int(self._info("stats")["total_writes_processed"])
        pid = self.pids[STORE]
        return processes.write_calls(pid) - sockets

    def rss_mib(self) -> dict[str, float]:
        """Resident memory of router, workers and store."""
        return {name: processes.rss_mib(pid) for name, pid in self.pids.items()}

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _info(self, section: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.info(section)
        return found


@contextmanager
def running(place: Path) -> Generator[Rig]:
    """A rig with its data below `place`; nothing stays behind."""
    directory = Path(tempfile.mkdtemp(prefix="orion-bench-", dir=place))
    flags = ("--slots", str(SLOTS))
    try:
        with Stack(
            [f"{name}:zero" for name in BOARDS],
            directory=directory,
            board_flags=flags,
            worker_flags=flags,
        ) as stack:
            rig = Rig(stack)
            try:
                yield rig
            finally:
                rig.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
