"""What a newcomer is told when nobody can say how long it would wait."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from builders.fleets import fleet, node
from orion_contracts.config import ClusterConfig, Routing
from orion_contracts.errors import QueueWait
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import Meta
from orion_router.fleet import Fleet, Node
from orion_router.forecast import Forecast

USUAL = Routing()
HOT = node("a", ("m1",), temperature_c=90.0)


def forecast(boards: Fleet, routing: Routing = USUAL) -> Forecast:
    """Of a router that does not plan: what it knows are the boards."""
    watch = SimpleNamespace(fleet=boards, config=ClusterConfig(routing=routing))
    return Forecast(
        cast("Any", watch), cast("Any", SimpleNamespace(lease=SimpleNamespace(held=False)))
    )


def refuse(boards: Fleet, max_wait_ms: int | None, routing: Routing = USUAL) -> None:
    request = InferenceRequest(
        request_id="2f1c7f5c-6f0e-4f0a-9a53-0d7f3b5b8c01", model="m1", messages=(),
        timestamp="2026-01-01T00:00:00Z", source="test", max_wait_ms=max_wait_ms,
    )  # fmt: skip
    forecast(boards, routing).refuse_long_wait(request, Meta(model="m1"))


def test_who_bounds_its_wait_does_not_wait_for_boards_that_may_not_work() -> None:
    """The only board is hot and does not cool: refused, with the bound that it set."""
    with pytest.raises(QueueWait, match=r"no board that can run .* max_wait_ms is 500;"):
        refuse(fleet(HOT), 500)


@pytest.mark.parametrize(
    "other",
    [node("b", ("m2",), models=("m2",)), node("b", models={"m1": 99_000_000_000}),
     node("b", ("m1",), draining=True)],
)  # fmt: skip
def test_a_board_that_cannot_run_the_model_is_no_reason_to_wait(other: Node) -> None:
    """It lacks the model, has no room for it, or is draining."""
    with pytest.raises(QueueWait, match="500"):
        refuse(fleet(HOT, other), 500)


def test_who_set_no_bound_waits() -> None:
    """So does who set one, while a board may work, or takes work in spite of its heat."""
    refuse(fleet(HOT), None)
    refuse(fleet(HOT, node("b", ("m1",))), 500)
    refuse(fleet(HOT), 500, Routing(when_no_node_eligible="LeastBad"))
