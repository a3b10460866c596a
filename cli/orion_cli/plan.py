"""What `orion up` starts: the command line of each process (pure, but for choosing free ports)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orion_cli.boards import Board

HOST = "127.0.0.1"
STOP_GRACE_S = 5.0
"""For answers on their way; then they are cut. Their requests are kept all the same."""
WORKER_GRACE_S = 3.0
"""Then requests in progress go back to the queue; the next `orion up` finishes them."""


SIMULATED_MOST_TOKENS = 512
"""So small a model repeats itself sooner than it ends; a request's own num_predict still wins."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the data folder keeps what."""

    data: Path

    @property
    def store(self) -> Path:
        """The store's append-only file."""
        return self.data / "store"

    @property
    def logs(self) -> Path:
        """A log for each process."""
        return self.data / "logs"

    @property
    def sensors(self) -> Path:
        """What the simulated boards' sensors show."""
        return self.data / "boards"

    @property
    def nothing(self) -> Path:
        """An empty folder: the sensors of a board that cannot be read from here."""
        return self.data / "unknown"


def simulated_boards(
    boards: Sequence[Board], ports: Mapping[str, int], engine: str, speed: float, place: Place
) -> list[str]:
    """One process for all of them: they share one engine."""
    made = ["-m", "orion_lab.board_main", "--engine", engine, "--models", "smollm2:135m"]
    made += ["--speed", f"{speed:g}", "--root", str(place.sensors)]
    for board in boards:
        made += ["--board", f"{board.name}:{ports[board.name]}:{board.spec}"]
    return made


def store_flags(redis_addr: str, password_file: Path) -> list[str]:
    """The password goes by file: a command line can be read by everybody."""
    return ["--redis-addr", redis_addr, "--redis-password-file", str(password_file)]


def router(store: Sequence[str], port: int, metrics_port: int) -> list[str]:
    """The router, on loopback only."""
    made = ["-m", "orion_router.main", *store, "--http-host", HOST]
    return [*made, "--http-port", str(port), "--metrics-port", str(metrics_port)]


def worker(
    board: Board, store: Sequence[str], url: str, port: int, metrics_port: int, place: Place
) -> list[str]:
    """A board's agent. Only a board of this computer has sensors that can be read here."""
    root = Path("/")
    if board.spec:
        root = place.sensors / board.name
    elif board.memory_bytes is None:
        root = place.nothing
    made = ["-m", "orion_agent.main", *store, "--node-id", board.name, "--ollama-host", url]
    made += ["--http-host", HOST, "--http-port", str(port), "--metrics-port", str(metrics_port)]
    made += ["--host-root", str(root), "--shutdown-grace-s", f"{WORKER_GRACE_S:g}"]
    if board.spec:
        made += ["--max-output-tokens", str(SIMULATED_MOST_TOKENS)]
    return made + (["--node-class", board.class_name] if board.class_name else [])
