"""Board processes for tests: started, asked, hurt and always cleaned up."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Any, Final, Self

import httpx

from orion_lab.hurry import Hurry

_READY_WITHIN_S: Final = 20.0
_STOP_WITHIN_S: Final = 5.0


class BoardProcess:
    """One `orion-lab-board` process, as a context manager.

    `boards` are `NAME:PORT:SPEC` (port 0 takes any free one); `flags` are further command-line
    arguments. Methods that take a board default to the first one. The process ends with this
    one however this one ends: it watches its standard input.
    """

    def __init__(
        self, *flags: str, boards: Sequence[str] = ("board:0:zero",), hurry: Hurry | None = None
    ) -> None:
        self._hurry = hurry or Hurry()
        self._boards = tuple(boards)
        self._flags = flags
        self._process: subprocess.Popen[str] | None = None
        self._client: httpx.Client | None = None
        self.ready: dict[str, Any] = {}
        self.urls: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Address of the first board."""
        return next(iter(self.urls.values()))

    @property
    def pid(self) -> int:
        """Process id.

        Raises:
            RuntimeError: it is not running.
        """
        return self._running().pid

    def start(self) -> None:
        """Start it and wait until it listens; after `kill` it comes back on the same ports.

        Raises:
            RuntimeError: it did not come up; the message carries what it said.
        """
        boards = [flag for each in self._boards for flag in ("--board", each)]
        command = [sys.executable, *self._hurry.argv, "orion_lab.board_main", "--exit-with-stdin"]
        self._process = subprocess.Popen(
            [*command, *boards, *self._flags],
            env={**os.environ, **self._hurry.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A group of its own: Ctrl-C in the terminal reaches the tests first, then us.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        line = _line_within(self._process.stdout, _READY_WITHIN_S)
        if not line:
            self._process.kill()
            _, said = self._process.communicate()
            self._process = None
            raise RuntimeError(f"the board process did not come up: {said.strip()}")
        self.ready = json.loads(line)
        self.urls = {each["name"]: each["url"] for each in self.ready["boards"]}
        ports = {each["name"]: each["port"] for each in self.ready["boards"]}
        names = (each.split(":") for each in self._boards)
        self._boards = tuple(f"{name}:{ports[name]}:{spec}" for name, _, spec in names)
        self._client = httpx.Client(trust_env=False, timeout=10.0)

    def set_fault(self, board: str | None = None, **faults: object) -> None:
        """Switch faults on (see `orion_lab.faults.Fault`, and `count`).

        Raises:
            httpx.HTTPStatusError: an unknown fault.
        """
        self._http().post(self._lab(board, "faults"), json=faults).raise_for_status()

    def clear_faults(self, board: str | None = None) -> None:
        """Switch every fault off."""
        self._http().delete(self._lab(board, "faults")).raise_for_status()

    def stats(self, board: str | None = None) -> dict[str, Any]:
        """The board's counters (see `orion_lab.stats.Stats`)."""
        found: dict[str, Any] = (
            self._http().get(self._lab(board, "stats")).raise_for_status().json()
        )
        return found

    def wait_for(
        self, board: str | None = None, *, within_s: float = 5.0, **wanted: int
    ) -> dict[str, Any]:
        """Poll the counters until each named one is at least the wanted value.

        Raises:
            TimeoutError: it did not happen in time; the message carries the last counters.
        """
        deadline = time.monotonic() + within_s
        while True:
            seen = self.stats(board)
            if all(seen[name] >= value for name, value in wanted.items()):
                return seen
            if time.monotonic() > deadline:
                raise TimeoutError(f"{wanted} not reached within {within_s} s: {seen}")
            time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL: connections break, nothing is said. `start` brings it back."""
        process = self._running()
        process.send_signal(signal.SIGCONT)
        process.kill()
        self._reap()

    def stop(self) -> None:
        """SIGTERM, as the kubelet sends it; streams in flight are cut."""
        self._running().terminate()
        self._reap()

    def pause(self) -> None:
        """SIGSTOP: it still accepts connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """End it if it still runs; never raises for a process that is already gone."""
        if self._process is not None:
            self.kill()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the board process is not running")
        return self._process

    def _reap(self) -> None:
        process, self._process = self._running(), None
        try:
            process.communicate(timeout=_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        if self._client is not None:
            self._client.close()
            self._client = None

    def _http(self) -> httpx.Client:
        if self._client is None:
            raise RuntimeError("the board process is not running")
        return self._client

    def _lab(self, board: str | None, what: str) -> str:
        return f"{self.url if board is None else self.urls[board]}/_lab/{what}"


def _line_within(stream: IO[str], seconds: float) -> str:
    """The first line, or nothing if the process ended or the time passed."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return stream.readline() if selector.select(seconds) else ""
