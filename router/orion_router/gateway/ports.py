"""What the gateway needs from the rest of the router, as protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from orion_contracts.config import ClusterConfig
from orion_contracts.messages import InferenceRequest
from orion_router.canary import Verdict
from orion_router.estimates import Standing
from orion_router.events import Event
from orion_router.fleet import Fleet
from orion_router.policy import Decision


class Following(Protocol):
    """One client's view of one request."""

    request_id: str

    async def next(self, timeout_s: float | None) -> list[Event]:
        """The events since the last call, at least one; [] when the time is over."""
        ...

    def close(self) -> None:
        """Stop following; the request goes on."""
        ...


class View(Protocol):
    """A request's record, as far as it may be shown."""

    @property
    def request_id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def node(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def history(self) -> str: ...
    @property
    def accepted_ms(self) -> int: ...
    @property
    def queue_position(self) -> int | None: ...
    @property
    def planned_node(self) -> str: ...
    @property
    def estimated_start_s(self) -> float | None: ...
    @property
    def final(self) -> Mapping[str, Any] | None: ...


class Queued(Protocol):
    """One request that waits for a board."""

    @property
    def view(self) -> View: ...
    @property
    def priority(self) -> str: ...


class Queue(Protocol):
    """What waits: how many, and the first of them in their order."""

    @property
    def depth(self) -> int: ...
    @property
    def first(self) -> Sequence[Queued]: ...


class Noted(Protocol):
    """A decision, and the Unix time of it."""

    @property
    def at_s(self) -> float: ...
    @property
    def decision(self) -> Decision: ...


class Told(Protocol):
    """Decisions, and who makes them."""

    @property
    def plans(self) -> bool: ...
    @property
    def planner(self) -> str: ...
    @property
    def noted(self) -> Sequence[Noted]: ...


class Desk(Protocol):
    """Where requests are handed in. Raises the errors of orion_contracts.errors."""

    @property
    def fleet(self) -> Fleet:
        """The boards at this instant."""
        ...

    @property
    def config(self) -> ClusterConfig:
        """The configuration in force."""
        ...

    @property
    def slow(self) -> Verdict:
        """Boards that became slow with a model."""
        ...

    @property
    def config_error(self) -> str:
        """Why the newest configuration is not in force; empty when it is."""
        ...

    async def submit(
        self, request: InferenceRequest, *, mark: str = "", follow: bool = True
    ) -> Following:
        """Admit it, or attach to the request of that id and mark that is known already."""
        ...

    async def attach(self, request_id: str, after: tuple[int, int] = (0, 0)) -> Following:
        """Follow a known request from after that event on."""
        ...

    async def cancel(self, request_id: str) -> str:
        """UNKNOWN, PENDING, or the state in which the request ended."""
        ...

    async def view(self, request_id: str) -> View | None:
        """The record, or None."""
        ...

    async def requests(self, limit: int) -> Sequence[View]:
        """The newest records."""
        ...

    async def queue(self, limit: int) -> Queue:
        """What waits for a board, the first `limit` of it in detail."""
        ...

    def decisions(self, limit: int, request_id: str = "") -> Told:
        """The last decisions, the newest first; of one request, where it is named."""
        ...

    async def standing(self, request_id: str) -> Standing | None:
        """Where a request stands in the queue; None: it does not wait, or nobody knows."""
        ...
