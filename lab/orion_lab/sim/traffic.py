"""Where requests come from: sources that know what follows an answer."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from orion_lab.sim.asks import Ask
from orion_lab.sim.talk import Talker


class Source(Protocol):
    """Requests in time. Draws no random number whose order depends on the policy."""

    def start(self) -> Iterable[Ask]:
        """Requests that depend on no answer, in any order."""
        ...

    def after(self, ask: Ask, done_s: float) -> Ask | None:
        """The request that follows this one's answer, if any."""
        ...


class Frozen:
    """An open loop: the arrivals are given, and wait for nobody."""

    def __init__(self, asks: Sequence[Ask]) -> None:
        self._asks = asks

    def start(self) -> Iterable[Ask]:
        """All of them."""
        return self._asks

    def after(self, ask: Ask, done_s: float) -> Ask | None:
        """Nothing follows an answer."""
        return None


class Closed:
    """Users who read the answer, think, and ask again until `ends_s`; beside them a given trace."""

    def __init__(
        self, talkers: Sequence[Talker], ends_s: float, beside: Sequence[Ask] = ()
    ) -> None:
        self._talkers = {talker.user: talker for talker in talkers}
        self._ends_s = ends_s
        self._beside = beside

    def start(self) -> Iterable[Ask]:
        """Everybody's first request."""
        firsts = [talker.ask(talker.begins_s) for talker in self._talkers.values()]
        return [*firsts, *self._beside]

    def after(self, ask: Ask, done_s: float) -> Ask | None:
        """The same user's next turn."""
        talker = self._talkers.get(ask.user)
        if talker is None:
            return None
        at_s = done_s + talker.pause_s()
        return talker.ask(at_s) if at_s < self._ends_s else None
