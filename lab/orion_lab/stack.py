"""A whole system of real processes on loopback: store, routers, workers, boards.

    with Stack(boards=["pi-a:zero", "pi-b:zero"]) as stack:
        httpx.post(f"{stack.url}/api/chat", json=...)
        stack.kill("worker-pi-a")

Processes are named `store`, `router-0`, `worker-NAME` and `board-NAME`. All calls block.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import httpx
import redis

from orion_lab.hurry import Hurry
from orion_lab.program import Program
from orion_lab.stores import Kind, StoreProcess, free_port
from orion_lab.testing import BoardProcess
from orion_lab.troupe import Named, Seat, Troupe

_READY_WITHIN_S: Final = 30.0


class Stack(Troupe):
    """Start everything, hurt any of it by name, leave nothing behind."""

    def __init__(
        self,
        boards: Sequence[str] = ("pi-a:zero",),
        *,
        routers: int = 1,
        store: Kind = "valkey9",
        appendfsync: Literal["always", "everysec", "no"] = "always",
        directory: Path | None = None,
        board_flags: Sequence[str] = (),
        worker_flags: Sequence[str] = (),
        router_flags: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        hurry: Hurry | None = None,
    ) -> None:
        self._hurry = hurry or Hurry()
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="orion-stack-"))
        self.seats = tuple(Seat.parse(each) for each in boards)
        self.store = StoreProcess(
            store, self.directory / "store", appendfsync=appendfsync, clock_rate=self._hurry.speed
        )
        self.boards: dict[str, BoardProcess] = {}
        self.programs: dict[str, Program] = {}
        self._routers = routers
        self._flags = (tuple(board_flags), tuple(worker_flags), tuple(router_flags))
        self._environment = dict(environment or {})
        self.urls: list[str] = []
        self.worker_urls: dict[str, str] = {}
        self.http = httpx.Client(trust_env=False, timeout=10.0)

    @property
    def url(self) -> str:
        """Address of the first router."""
        return self.urls[0]

    @property
    def redis_addr(self) -> str:
        """The store as `host:port`."""
        return f"127.0.0.1:{self.store.port}"

    def client(self) -> redis.Redis:
        """A blocking client of the store; the caller closes it."""
        return self.store.client()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.report()
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.report()
        self.close()

    def start(self) -> None:
        """Start all processes and wait until every board is in the routers' fleet.

        Raises:
            TimeoutError: something did not become ready; the logs' ends were printed.
        """
        (self.directory / "logs").mkdir(parents=True, exist_ok=True)
        self.store.clock_offset_s = self._hurry.ahead_s
        self.store.start()
        for index in range(self._routers):
            port = free_port()
            name = f"router-{index}"
            flags = ["--http-port", str(port), "--router-id", name, *self._flags[2]]
            self._launch(name, "orion_router.main", flags)
            self.urls.append(f"http://127.0.0.1:{port}")
        for seat in self.seats:
            self._add_board(seat)
        self.wait_ready()

    def wait_ready(self, within_s: float = _READY_WITHIN_S) -> None:
        """Wait until every router is ready and sees every board with a running engine.

        Raises:
            TimeoutError: see `start`.
        """
        wanted = {seat.name for seat in self.seats}
        for url in self.urls:
            self.wait_until(partial(self._sees, url, wanted), f"{url} sees all boards", within_s)

    def wait_until(self, test: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
        """Poll until `test` holds.

        Raises:
            TimeoutError: it did not, or a process ended by itself.
        """
        deadline = time.monotonic() + within_s
        while not test():
            ended = [p.name for p in self.programs.values() if p.gone is not None]
            if ended or time.monotonic() > deadline:
                why = f"{', '.join(ended)} ended by itself" if ended else f"not in {within_s} s"
                raise TimeoutError(f"{what}: {why}")
            time.sleep(0.02)

    def nodes(self, url: str = "") -> dict[str, dict[str, Any]]:
        """What a router's /v1/nodes says, by board name."""
        reply = self.http.get(f"{url or self.url}/v1/nodes").raise_for_status().json()
        return {node["name"]: node for node in reply["nodes"]}

    def report(self) -> None:
        """Print the end of every log."""
        for program in self.programs.values():
            print(f"--- {program.name} (exit {program.gone})\n{program.tail()}", file=sys.stderr)

    def close(self) -> None:
        """End everything; nothing stays behind."""
        for program in self.programs.values():
            program.kill()
        for board in self.boards.values():
            board.close()
        self.store.kill()
        self.http.close()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _add_board(self, seat: Seat) -> None:
        url, root = seat.url, self.directory / "sensors"
        flags: list[str] = []
        if not url:
            board = BoardProcess(
                "--root",
                str(root),
                *self._flags[0],
                boards=[f"{seat.name}:0:{seat.spec}"],
                hurry=self._hurry,
            )
            board.start()
            self.boards[seat.name] = board
            url = board.url
            flags = ["--host-root", str(root / seat.name)]
        port = free_port()
        self.worker_urls[seat.name] = f"http://127.0.0.1:{port}"
        own = ["--node-id", seat.name, "--ollama-host", url, "--http-port", str(port)]
        self._launch(f"worker-{seat.name}", "orion_agent.main", [*own, *flags, *self._flags[1]])

    def _launch(self, name: str, module: str, flags: Sequence[str]) -> None:
        python = [sys.executable, *self._hurry.argv, module]
        argv = [*python, "--redis-addr", self.redis_addr, *flags]
        metrics = {"ORION_METRICS_PORT": str(free_port())}
        environment = {**metrics, **self._hurry.environment, **self._environment}
        log = self.directory / "logs" / f"{name}.log"
        self.programs[name] = Program(name, argv, log, environment)
        self.programs[name].start()

    def _sees(self, url: str, wanted: set[str]) -> bool:
        try:
            ready = self.http.get(f"{url}/readyz").status_code == 200
            nodes = self.nodes(url) if ready else {}
        except (httpx.HTTPError, ValueError):
            return False
        told = {
            name
            for name, node in nodes.items()
            if node["state"] == "fresh" and node.get("engine", {}).get("reachable")
        }
        return wanted <= told

    def _named(self, name: str) -> Named:
        if name == "store":
            return self.store
        if name.startswith("board-"):
            return self.boards[name.removeprefix("board-")]
        return self.programs[name]
