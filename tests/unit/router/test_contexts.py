"""How much of a prompt a plan reckons with."""

from __future__ import annotations

from dataclasses import replace

from builders.fleets import fleet, node
from orion_contracts.config import DEFAULT_CONFIG, ClusterConfig, ModelConfig
from orion_contracts.meta import Meta
from orion_contracts.prefixes import Prefix
from orion_router.contexts import LONG_CONTEXT, within_context
from orion_router.fleet import Fleet

NOWHERE = fleet(node("a"))
HUGE = Meta(model="m1", input_tokens=2_000_000, prefixes=(Prefix("p", 50), Prefix("q", 900_000)))


def counted(
    config: ClusterConfig = DEFAULT_CONFIG, boards: Fleet = NOWHERE, num_ctx: int | None = None,
    input_tokens: int = HUGE.input_tokens,
) -> int:  # fmt: skip
    meta = replace(HUGE, num_ctx=num_ctx, input_tokens=input_tokens)
    return within_context(meta, config, boards).input_tokens


def resident(name: str, context_length: int) -> Fleet:
    """A board that has this model in memory with so long a context."""
    board = node("a", (name,))
    assert board.health is not None
    seen = replace(board.health.resident[0], context_length=context_length)
    return fleet(replace(board, health=replace(board.health, resident=(seen,))))


def test_a_prompt_counts_up_to_its_context() -> None:
    """Of what is not known a long one, whatever the client says; a short prompt is what it is."""
    assert counted() == LONG_CONTEXT
    assert counted(num_ctx=10**9) == LONG_CONTEXT
    assert counted(num_ctx=20_000) == 20_000
    assert counted(num_ctx=2048) == 2048
    assert counted(num_ctx=20_000, input_tokens=17_000) == 17_000
    assert counted(num_ctx=2048, input_tokens=4096) == 4096


def test_the_longest_context_that_is_known_counts() -> None:
    """The configuration's, that of a board that has the model in memory, or the client's."""
    models = [ModelConfig(name=n, context_length=c) for n, c in (("m1", 8192), ("m2", 99_999))]
    told = replace(DEFAULT_CONFIG, models=tuple(models))
    tagged = replace(DEFAULT_CONFIG, models=(ModelConfig(name="m1:latest", context_length=65_536),))
    there = resident("m1:latest", 16_384)

    assert counted(told) == 8192
    assert counted(tagged) == 65_536
    assert counted(tagged, num_ctx=10**9) == 65_536
    assert counted(told, there) == 16_384
    assert counted(told, resident("m2", 16_384)) == 8192
    assert counted(told, there, num_ctx=2048) == 16_384
    assert counted(told, there, num_ctx=20_000) == 20_000


def test_what_is_cut_has_no_beginning_that_a_cache_could_have() -> None:
    """The engine drops the oldest part, so that every turn begins with other tokens."""
    whole = replace(HUGE, input_tokens=30_000)

    assert within_context(HUGE, DEFAULT_CONFIG, NOWHERE).prefixes == ()
    assert within_context(whole, DEFAULT_CONFIG, NOWHERE) is whole


def test_embeddings_are_many_texts_in_one() -> None:
    """Each has the whole context to itself."""
    many = replace(HUGE, operation="embed")

    assert within_context(many, DEFAULT_CONFIG, NOWHERE) is many
