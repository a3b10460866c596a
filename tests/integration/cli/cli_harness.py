"""A real `orion up` as a subprocess, and the other commands against it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import pytest

from orion_cli.state import Run, runs
from orion_lab.stores import free_port

READY_WITHIN_S = 40.0
STOP_WITHIN_S = 20.0


class Up:
    """One `orion up` with a state folder of its own; `stop` is Ctrl-C."""

    def __init__(self, home: Path, *flags: str) -> None:
        self.home = home
        self.port = free_port()
        self.log = home / "up.log"
        self.data = home / "state" / "data"
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None
        # Compiled modules are kept, as they are for a person: nine processes start each time.
        clean = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith("ORION_") and k != "PYTHONDONTWRITEBYTECODE"
        }
        self.environment = {**clean, "ORION_STATE": str(home / "state")}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            sys.stderr.write(self.said)
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        wait_until(lambda: not self.left(), "the guard has ended what was left", 10.0)

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self.log.read_text() if self.log.exists() else ""

    @property
    def url(self) -> str:
        """The gateway."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process."""
        assert self._process is not None
        return self._process

    def command(self) -> list[str]:
        """Its command line."""
        return [sys.executable, "-m", "orion_cli.main", "up", "--port", str(self.port),
                *self._flags]  # fmt: skip

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment,
            )  # fmt: skip
        wait_until(self._settled, "`orion up` is ready", READY_WITHIN_S)
        assert self._process.poll() is None, self.said

    def _settled(self) -> bool:
        ended = self._process is not None and self._process.poll() is not None
        return ended or "Ctrl-C stops" in self.said

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(how)
        return self.process.wait(STOP_WITHIN_S)

    @property
    def run(self) -> Run:
        """What it announced."""
        before = os.environ.get("ORION_STATE")
        os.environ["ORION_STATE"] = self.environment["ORION_STATE"]
        try:
            return runs()[0]
        finally:
            del os.environ["ORION_STATE"]
            if before is not None:
                os.environ["ORION_STATE"] = before

    def left(self) -> list[str]:
        """Command lines of processes that belong to it and still run."""
        found: list[str] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                line = " ".join(process.cmdline())
                if str(self.data) in line and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(line)
        return found

    def orion(
        self, *arguments: str, stdin: str | None = None, timeout_s: float = 50.0
    ) -> subprocess.CompletedProcess[str]:
        """Another command of the same person, in another terminal."""
        return subprocess.run(
            [sys.executable, "-m", "orion_cli.main", *arguments],
            env=self.environment,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


def wait_until(test: Callable[[], bool], what: str, within_s: float) -> None:
    """Poll until `test` holds; fail the test with `what` otherwise."""
    deadline = time.monotonic() + within_s
    while not test():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within_s} s: {what}")
        time.sleep(0.02)
