"""What a routing policy is: binding early, at arrival, or late, when a board is free."""

from typing import NamedTuple, Protocol, runtime_checkable

from orion_lab.sim.asks import Ask, Prefix
from orion_lab.sim.views import View


class Facts(NamedTuple):
    """What the engine reports about a finished request."""

    at_s: float
    load_s: float
    prompt_s: float
    prompt_tokens: int
    """The whole prompt."""
    prefilled_tokens: int
    """Those that were not cached."""
    decode_s: float
    output_tokens: int
    prefix: Prefix
    """What the board's prompt cache holds of it now."""


class Early(Protocol):
    """Chooses a board when a request arrives; it then waits there.

    A policy may say `fifo = True`: its boards serve in arrival order, not in Ollama's.
    """

    name: str

    def choose(self, ask: Ask, view: View) -> str:
        """The name of the board."""
        ...


@runtime_checkable
class Late(Protocol):
    """Asked after every event: arrival, completion, end of a load, health report.

    A policy may have a `window`: requests a board may hold (default 1).
    """

    name: str

    def plan(self, view: View) -> list[tuple[str, str]]:
        """Pairs of (request id, board) to dispatch now."""
        ...


@runtime_checkable
class Learns(Protocol):
    """A policy of either kind that wants to know how requests ended."""

    def finished(self, ask: Ask, board: str, facts: Facts) -> None:
        """This request's answer is complete."""
        ...


@runtime_checkable
class Watches(Protocol):
    """A policy of either kind that wants to see every health report."""

    def watch(self, view: View) -> None:
        """New reports are in this view."""
        ...


Policy = Early | Late
