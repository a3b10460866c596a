"""Which model answers where a client allows a smaller one."""

from __future__ import annotations

from typing import Any

import pytest

from builders.fleets import GIB, fleet, node
from orion_contracts.config import ClusterConfig, ModelConfig, Routing
from orion_router.fleet import Fleet
from orion_router.policy.fallback import Choice, choose

MODELS = (ModelConfig(name="x:7b", fallback="x:3b"), ModelConfig(name="x:3b", fallback="x:1b"),
          ModelConfig(name="x:1b", context_length=4096))  # fmt: skip
SIZES = {"x:7b": 5 * GIB, "x:3b": 2 * GIB, "x:1b": GIB}


def chosen(
    boards: Fleet, model: str = "x:7b", num_ctx: int | None = None,
    waits: dict[str, float] | None = None, models: tuple[ModelConfig, ...] = MODELS, **rules: Any,
) -> Choice:  # fmt: skip
    config = ClusterConfig(models=models, routing=Routing(**rules))
    return choose(model, num_ctx, config, boards, (waits or {}).get, 600.0)


def board(*models: str, **facts: Any) -> Fleet:
    return fleet(node("a", models={m: SIZES[m] for m in models}, **facts))


def test_what_can_be_served_is_served() -> None:
    """No smaller model where nothing keeps the one asked for."""
    assert chosen(board("x:7b", "x:3b", memory_available_bytes=8 * GIB)) == Choice("x:7b")
    assert chosen(board("x:3b"), "x:3b") == Choice("x:3b")


def test_the_first_rung_that_some_board_has_answers() -> None:
    """No board has 7B, or 3B either: 1B. Nothing at all: it stays with 7B."""
    assert chosen(board("x:3b", "x:1b")) == Choice("x:3b", "no_board")
    assert chosen(board("x:1b")) == Choice("x:1b", "no_board")
    assert chosen(board()) == Choice("x:7b")
    assert chosen(fleet()) == Choice("x:7b")


def test_a_model_that_fits_nowhere_gives_way() -> None:
    """5 GiB do not fit into the 4 that are left."""
    assert chosen(board("x:7b", "x:3b")) == Choice("x:3b", "no_room")


def test_a_board_that_may_not_work_serves_nothing() -> None:
    """Unless the rules allow the least bad one."""
    hot = node("a", models=SIZES, temperature_c=80.0, memory_available_bytes=8 * GIB)
    cool = node("b", models={"x:1b": GIB})

    assert chosen(fleet(hot, cool)) == Choice("x:1b", "no_board")
    assert chosen(fleet(hot)) == Choice("x:7b")
    assert chosen(fleet(hot), when_no_node_eligible="LeastBad") == Choice("x:7b")


@pytest.mark.parametrize(
    ("waits", "choice"),
    [
        ({"x:7b": 600.0}, Choice("x:7b")),
        ({"x:7b": 601.0}, Choice("x:3b", "wait")),
        ({"x:7b": 601.0, "x:3b": 700.0}, Choice("x:1b", "wait")),
        ({"x:7b": 601.0, "x:3b": 700.0, "x:1b": 900.0}, Choice("x:7b")),
        ({}, Choice("x:7b")),
    ],
    ids=["at the bound", "beyond it", "two of them", "all of them", "nothing is known"],
)
def test_who_would_wait_too_long_takes_the_next(waits: dict[str, float], choice: Choice) -> None:
    """By what was measured; where nobody is faster, it stays with the model asked for."""
    assert chosen(board(*SIZES, memory_available_bytes=8 * GIB), waits=waits) == choice


def test_a_rung_with_too_short_a_context_is_passed_over() -> None:
    """It could not hold what the client asks for."""
    assert chosen(board("x:1b"), num_ctx=4096) == Choice("x:1b", "no_board")
    assert chosen(board("x:1b"), num_ctx=4097) == Choice("x:7b")


def test_a_ladder_may_name_an_alias_and_end_in_a_circle() -> None:
    """It ends; no rung is looked at twice."""
    models = (ModelConfig(name="x:7b", fallback="small"),
              ModelConfig(name="x:1b", aliases=("small",), fallback="x:7b"))  # fmt: skip

    assert chosen(board("x:1b"), models=models) == Choice("x:1b", "no_board")
    assert chosen(board(), models=models) == Choice("x:7b")


def test_a_model_without_a_ladder_is_never_exchanged() -> None:
    """Not even where it cannot be served."""
    assert chosen(board("x:3b"), "other") == Choice("other")
    assert chosen(board("x:3b"), "x:1b") == Choice("x:1b")
