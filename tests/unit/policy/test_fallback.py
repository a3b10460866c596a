"""Which model answers where a client allows a smaller one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders.fleets import GIB, fleet, node
from contract_ledger.kit import a_request
from orion_contracts.config import ClusterConfig, ModelConfig, Routing
from orion_contracts.messages import InferenceRequest
from orion_router.fleet import Fleet, Node
from orion_router.policy.fallback import Choice, choose, exchangeable, needs

MODELS = (ModelConfig(name="x:7b", fallback="x:3b"), ModelConfig(name="x:3b", fallback="x:1b"),
          ModelConfig(name="x:1b", context_length=4096))  # fmt: skip
SIZES = {"x:7b": 5 * GIB, "x:3b": 2 * GIB, "x:1b": GIB}


def chosen(
    boards: Fleet, model: str = "x:7b", num_ctx: int | None = None,
    waits: dict[str, float] | None = None, models: tuple[ModelConfig, ...] = MODELS,
    needed: tuple[str, ...] = (), **rules: Any,
) -> Choice:  # fmt: skip
    config = ClusterConfig(models=models, routing=Routing(**rules))
    waited = (waits or {}).get
    return choose(model, num_ctx, config, boards, waited, 600.0, frozenset(needed))


def able(name: str, three: tuple[str, ...] = (), one: tuple[str, ...] = ()) -> Node:
    """A board with 3B and 1B, and what it says that each can do."""
    made = node(name, models={"x:3b": GIB, "x:1b": GIB})
    assert made.health is not None
    told = {"x:3b": three, "x:1b": one}
    models = tuple(replace(each, capabilities=told[each.name]) for each in made.health.models)
    return replace(made, health=replace(made.health, models=models))


def asks(**fields: Any) -> InferenceRequest:
    return a_request(model="x:7b", **fields)


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


SEES, TALKS = ("completion", "vision"), ("completion", "tools")


@pytest.mark.parametrize(
    ("boards", "needed", "choice"),
    [
        ([able("a", three=TALKS, one=SEES)], ("vision",), "x:1b"),
        ([able("a", three=SEES, one=TALKS)], ("vision",), "x:3b"),
        ([able("a", three=SEES, one=TALKS)], ("tools",), "x:1b"),
        ([able("a", three=SEES, one=TALKS)], ("tools", "vision"), "x:7b"),
        ([able("a", three=SEES, one=TALKS)], (), "x:3b"),
        ([able("a", one=SEES)], ("vision",), "x:3b"),
        ([able("a"), able("b", three=TALKS, one=SEES)], ("vision",), "x:1b"),
        ([able("a", three=SEES), able("b", three=TALKS, one=TALKS)], ("vision",), "x:7b"),
    ],
    ids=["it is blind", "it sees", "it has no tools", "none has both", "nothing is needed",
         "nobody says", "one of two says", "they disagree"],
)  # fmt: skip
def test_a_rung_that_cannot_do_it_is_passed_over(
    boards: list[Node], needed: tuple[str, ...], choice: str
) -> None:
    """As its boards tell; what no board tells of is no obstacle."""
    assert chosen(fleet(*boards), needed=needed).model == choice


IMAGE = ({"role": "user", "content": "What is this?"}, {"role": "user", "content": "",
          "images": ["aGk="]})  # fmt: skip
TOOLS = ({"type": "function", "function": {"name": "f"}},)


@pytest.mark.parametrize(
    ("request_", "needed"),
    [
        (asks(), set[str]()),
        (asks(tools=()), set[str]()),
        (asks(messages=IMAGE), {"vision"}),
        (asks(tools=TOOLS), {"tools"}),
        (asks(messages=IMAGE, tools=TOOLS), {"vision", "tools"}),
        (asks(think="low"), {"thinking"}),
        (asks(think=False, generate={"suffix": ""}), set[str]()),
        (asks(generate={"suffix": "}"}), {"insert"}),
    ],
)
def test_images_need_eyes_and_tools_need_hands(
    request_: InferenceRequest, needed: set[str]
) -> None:
    """In Ollama's words for what a model can do."""
    assert needs(request_) == needed


EMPTY = ({"role": "user", "content": ""},)


@pytest.mark.parametrize(
    ("request_", "may"),
    [
        (asks(), True),
        (asks(operation="generate"), True),
        (asks(operation="generate", keep_alive_seconds=0), True),
        (asks(messages=EMPTY), True),
        (asks(messages=IMAGE, operation="generate"), True),
        (asks(operation="embed"), False),
        (asks(operation="generate", generate={"raw": False, "context": []}), True),
        (asks(operation="generate", generate={"context": [1, 2]}), False),
        (asks(operation="generate", generate={"raw": True}), False),
        (asks(operation="generate", generate={"template": "{{ .Prompt }}"}), False),
        (asks(messages=EMPTY, operation="generate"), False),
        (asks(messages=EMPTY, operation="generate", keep_alive_seconds=0), False),
        (asks(messages=()), False),
    ],
    ids=["chat", "generate", "generate and unload", "an empty question", "an image", "embed",
         "nothing particular", "a context", "raw", "a template", "load", "unload", "no messages"],
)  # fmt: skip
def test_what_means_just_this_model_is_not_exchanged(request_: InferenceRequest, may: bool) -> None:
    """Vectors, what loads or unloads it, and what was made by it or for it."""
    assert exchangeable(request_) is may


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
