"""Processes by name: how a test hurts any part of a system in the same words."""

import os
import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Seat:
    """A board of the stack: simulated (`spec`), or an Ollama that runs already (`url`)."""

    name: str
    spec: str = ""
    url: str = ""

    @classmethod
    def parse(cls, text: str) -> "Seat":
        """`NAME=URL`, `NAME:SPEC` or `NAME` (a board that costs no time)."""
        name, equals, url = text.partition("=")
        if equals:
            return cls(name, url=url)
        name, _, spec = text.partition(":")
        return cls(name, spec=spec or "zero")


class Named(Protocol):
    """What every kind of process here can do."""

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        ...

    def start(self) -> object:
        """Start it, on the same ports and data as before."""
        ...

    def kill(self) -> None:
        """SIGKILL."""
        ...

    def stop(self) -> object:
        """SIGTERM, and wait."""
        ...


class Troupe(ABC):
    """The verbs; the processes come from `_named`."""

    @abstractmethod
    def _named(self, name: str) -> Named: ...

    def kill(self, name: str) -> None:
        """SIGKILL to a process."""
        if self.pid(name):
            self._named(name).kill()

    def stop(self, name: str) -> None:
        """SIGTERM, as Kubernetes or systemd does, and wait."""
        if self.pid(name):
            self._named(name).stop()

    def restart(self, name: str) -> None:
        """Start a process again, on the same port and data; killed first if it still runs."""
        self.kill(name)
        self._named(name).start()

    def pause(self, name: str) -> None:
        """SIGSTOP: the process keeps its connections and answers nothing."""
        if pid := self.pid(name):
            os.kill(pid, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Undo `pause`."""
        if pid := self.pid(name):
            os.kill(pid, signal.SIGCONT)

    def pid(self, name: str) -> int | None:
        """Process id while it runs."""
        try:
            return self._named(name).pid
        except RuntimeError:  # a board that does not run
            return None
