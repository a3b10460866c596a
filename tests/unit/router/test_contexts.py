"""How much of a prompt a plan reckons with."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

from builders.fleets import fleet, node
from orion_contracts.config import DEFAULT_CONFIG, ModelConfig
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import Meta
from orion_router.contexts import MOST_TOKENS, within_context
from orion_router.fleet import Fleet
from orion_router.forecast import Forecast
from orion_router.naming import Naming
from orion_router.watch import Watch

NOWHERE = fleet(node("a"))
HUGE = Meta(model="m1", input_tokens=2_000_000)


def test_a_prompt_counts_up_to_its_context() -> None:
    """Ollama's default where nothing is known; a shorter one is what it is."""
    short = replace(HUGE, input_tokens=4096)

    assert within_context(HUGE, DEFAULT_CONFIG, NOWHERE) == short
    assert within_context(short, DEFAULT_CONFIG, NOWHERE) is short
    assert within_context(replace(HUGE, input_tokens=4097), DEFAULT_CONFIG, NOWHERE) == short


def test_the_longest_context_that_is_known_counts() -> None:
    """The client's, the configuration's, or that of a board that has the model in memory."""
    models = [ModelConfig(name=n, context_length=c) for n, c in (("m1", 8192), ("m2", 99_999))]
    told = replace(DEFAULT_CONFIG, models=tuple(models))
    board = node("a", ("m1",))
    assert board.health is not None
    seen = replace(board.health.resident[0], context_length=16_384)
    there = fleet(replace(board, health=replace(board.health, resident=(seen,))))

    def counted(
        boards: Fleet, num_ctx: int | None = None, input_tokens: int = HUGE.input_tokens
    ) -> int:
        meta = replace(HUGE, num_ctx=num_ctx, input_tokens=input_tokens)
        return within_context(meta, told, boards).input_tokens

    assert counted(NOWHERE) == 8192
    assert counted(there) == 16_384
    assert counted(there, 2048) == 16_384
    assert counted(there, 20_000) == 20_000
    assert counted(there, 20_000, 17_000) == 17_000


def test_no_context_is_beyond_what_a_board_can_hold() -> None:
    """Or a client could make everybody's plan as long as it likes."""
    assert within_context(replace(HUGE, num_ctx=10**12), DEFAULT_CONFIG, NOWHERE) == replace(
        HUGE, num_ctx=10**12, input_tokens=MOST_TOKENS
    )


def test_a_request_is_described_with_what_will_be_read_of_it() -> None:
    """At its admission, by the configuration of the moment."""
    watch = SimpleNamespace(prefix_key=b"", config=DEFAULT_CONFIG, fleet=NOWHERE)
    naming = Naming(cast(Watch, watch), cast(Forecast, None))
    long = ({"role": "user", "content": "x" * 100_000},)
    request = InferenceRequest(
        request_id="i", model="m1", timestamp="t", source="s", messages=long
    )  # fmt: skip

    assert naming.facts(request, 100_100).input_tokens == 4096
    watch.config = replace(DEFAULT_CONFIG, models=(ModelConfig(name="m1", context_length=8192),))
    assert naming.facts(request, 100_100).input_tokens == 8192
