"""One child process of a test or benchmark: started, killed, paused, its words in a log file."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from orion_lab.ties import tied_to_us

_STOP_WITHIN_S: Final = 30.0


class Program:
    """A process that can be hurt. Its standard output and error go to `log`, across restarts."""

    def __init__(
        self, name: str, argv: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = log
        self.argv = [*tied_to_us(), *argv]
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self.exit_code: int | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def gone(self) -> int | None:
        """The exit status of a process that ended although nobody asked it to."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it unless it runs; whether it is ready is for the caller to find out."""
        if self.pid:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.argv,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the program above first
            )

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._end(signal.SIGKILL, _STOP_WITHIN_S)

    def stop(self, within_s: float = _STOP_WITHIN_S) -> int | None:
        """SIGTERM, and SIGKILL if it takes longer; returns the exit status."""
        if self._process:
            self._process.send_signal(signal.SIGCONT)
        return self._end(signal.SIGTERM, within_s)

    def tail(self, lines: int = 25) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _end(self, how: signal.Signals, within_s: float) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(how)
        try:
            self.exit_code = process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            self.exit_code = process.wait()
        return self.exit_code
