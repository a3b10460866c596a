"""What a board is between two events: kept while it is the same, anew when it is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest

from builders.arbitrary import MODELS, NAMES, NOW_S, World, a_request, a_world
from builders.fleets import fleet, held, node
from builders.worlds import FIXED, M1, M2, about, beliefs
from orion_contracts.config import Routing
from orion_contracts.facts import Facts
from orion_router.fleet import Node
from orion_router.held import Held
from orion_router.learning.learner import Learner
from orion_router.policy import Beliefs, assign, outlook
from orion_router.policy.beliefs import LENGTHS
from orion_router.policy.fares import Gone
from orion_router.policy.heat import Climate
from orion_router.policy.speeds import Learned
from orion_router.policy.stands import Stand, stand

KNOWN = beliefs(outputs=50.0)
FASTER = replace(KNOWN, speeds={**KNOWN.speeds, ("a", M1): Learned(100.0, 20.0, 10.0)})


class Pages:
    """Every file is in the page cache."""

    def warm(self, node: Node, model: str) -> bool:
        """See `Pages`."""
        return True


def counted(known: Beliefs, board: int = 1, lengths: int = 1) -> Beliefs:
    """Somebody counts what is learned."""
    return replace(known, news={"a": board, LENGTHS: lengths})


def test_it_is_worked_out_once_while_nothing_changes() -> None:
    """Also for a copy of what the board holds: it is compared, not who keeps it."""
    board, load = node("a", ("m1",)), {"r": held()}
    first = stand(board, load, KNOWN, True)

    assert stand(board, dict(load), KNOWN, True) is first
    assert stand(board, load, KNOWN, False) is not first
    assert stand(board, load, KNOWN, True) is first, "each with heat and without"


@pytest.mark.parametrize(
    ("load", "known"),
    [
        ({}, KNOWN),
        ({"s": held()}, KNOWN),
        ({"r": held(since_s=1.0)}, KNOWN),
        ({"r": held()}, FASTER),
        ({"r": held()}, replace(KNOWN, climates={"a": Climate(90.0, 40.0)})),
    ],
    ids=["ended", "another", "again", "rate", "climate"],
)
def test_what_it_is_made_of_is_seen_at_once(load: dict[str, Held], known: Beliefs) -> None:
    """Between two looks at the board."""
    board = node("a", ("m1",))
    first = stand(board, {"r": held()}, KNOWN, True)

    assert stand(board, load, known, True) is not first
    assert stand(board, load, known, True).ends == Stand(board, load, known, True).ends


def test_a_load_from_the_page_cache_is_seen_at_once() -> None:
    """5 s less, while the model is on its way; one that is in memory loads from nowhere."""
    home, board = node("a", ("m1",)), node("b")
    known = Beliefs({}, {("", ""): 50.0})
    for each in (home, board):
        stand(each, {"r": held()}, known, True)
    cached = replace(known, pages=Pages())

    assert stand(home, {"r": held()}, cached, True) is stand(home, {"r": held()}, known, True)
    assert stand(board, {"r": held()}, cached, True).first_at_s < stand(
        board, {"r": held()}, known, True
    ).first_at_s  # fmt: skip


def test_a_learned_length_moves_the_ends_alone() -> None:
    """5 s for 50 tokens, 10 s for 100; also where only what all others have in common changed."""
    board, load = node("a", ("m1",)), {"r": held(), "s": held(output_limit=20)}
    first = stand(board, load, KNOWN, True)
    assert [each.expected_at_s for each in first.ends] == [about(5.0), about(2.0)]

    longer = replace(KNOWN, outputs={("", ""): 100.0})
    assert stand(board, load, longer, True) is first
    assert [each.expected_at_s for each in first.ends] == [about(10.0), about(2.0)]
    own = replace(longer, outputs={("", ""): 100.0, (M1, "interactive"): 10.0})
    assert stand(board, load, own, True).first_at_s == about(1.0)
    assert stand(board, load, own, True).ends == Stand(board, load, own, True).ends


def test_where_somebody_counts_the_numbers_are_believed() -> None:
    """The same numbers: nothing was learned. Another number, or another counter: it is compared."""
    board, load = node("a", ("m1",)), {"r": held()}
    known = counted(KNOWN)
    first = stand(board, load, known, True)

    assert stand(board, load, replace(FASTER, news=known.news), True) is first
    assert stand(board, load, counted(FASTER), True) is not first, "another counter"
    news = {"a": 1, LENGTHS: 1}
    first = stand(board, load, replace(KNOWN, news=news), True)
    news["a"] = 2
    assert stand(board, load, replace(FASTER, news=news), True) is not first
    news[LENGTHS] = 2
    longer = replace(FASTER, outputs={("", ""): 200.0}, news=news)
    assert stand(board, load, longer, True).first_at_s == about(10.0)


def test_a_fare_is_kept_as_long_as_its_rate() -> None:
    """And for one tuning. None without the model, or without room for it."""
    board = node("a", ("m1",))
    mine = stand(board, {}, KNOWN, True)
    first = mine.fare(M1, KNOWN, FIXED)

    assert first is not None
    assert (first.prefill_s, first.decode_s, first.load_s) == (0.01, 0.1, 10.0)
    assert mine.fare(M1, KNOWN, FIXED) is first
    faster = mine.fare(M1, FASTER, FIXED)
    assert faster is not None
    assert faster.decode_s == 0.05
    other = mine.fare(M1, FASTER, replace(FIXED, decode_weight=0.5))
    assert other is not None
    assert other.weighed_s == 0.025
    assert mine.fare("m9:latest", KNOWN, FIXED) is None
    assert stand(node("b", models={"m1": 9_000_000_000}), {}, KNOWN, True).fare(
        M1, KNOWN, FIXED
    ) is None  # fmt: skip


def test_where_somebody_counts_a_fare_is_asked_for_anew_with_each_number() -> None:
    """Never kept from one counter to another."""
    board, news = node("a", ("m1",)), {"a": 1}

    def decode_s(known: Beliefs) -> float:
        found = stand(board, {}, known, True).fare(M1, known, FIXED)
        return found.decode_s if found else 0.0

    assert decode_s(replace(KNOWN, news=news)) == 0.1
    assert decode_s(replace(FASTER, news=news)) == 0.1, "the number says: nothing was learned"
    news["a"] = 2
    assert decode_s(replace(FASTER, news=news)) == 0.05
    assert decode_s(replace(KNOWN, news={"a": 2})) == 0.1
    assert decode_s(FASTER) == 0.05


def test_models_that_would_leave_have_their_price() -> None:
    """One place in memory, taken by m1: loading m2 costs a load of m1, and its prompts."""
    board = node("a", ("m1",), models={"m1": 720_000_000, "m2": 10})
    found = stand(board, {}, KNOWN, True).fare(M2, KNOWN, FIXED)

    assert found is not None
    assert found.gone == (Gone(M1, about(10.5), about(0.01)),)


def test_what_reading_a_gone_models_prompts_takes_is_followed() -> None:
    """Learned anew of m1 alone: what a load of m2 costs is worked out again."""
    board = node("a", ("m1",), models={"m1": 720_000_000, "m2": 10})
    slower = replace(KNOWN, speeds={**KNOWN.speeds, ("a", M1): Learned(50.0, 10.0, 10.0)})
    before = stand(board, {}, KNOWN, True).fare(M2, KNOWN, FIXED)
    after = stand(board, {}, slower, True).fare(M2, slower, FIXED)

    assert before is not None
    assert after is not None
    assert (before.gone[0].prefill_s, after.gone[0].prefill_s) == (about(0.01), about(0.02))


# --- whatever happens -----------------------------------------------------------------------------


Load = dict[str, dict[str, Held]]


def anew(board: Node) -> Node:
    """The same snapshot, of which nothing was worked out."""
    return replace(board)


def told(world: World, nodes: Iterable[Node], known: Beliefs, now_s: float) -> object:
    """All that the policy says of this world."""
    queue = [*world.queue]
    facts = (fleet(*nodes), world.load, now_s, Routing(), world.cooling, world.suspects, known)
    return assign(queue, *facts), outlook(queue, *facts)


def ends(rng: Random, learner: Learner, load: Load, now_s: float) -> None:
    """All that one board has."""
    load[rng.choice(NAMES)] = {}


def arrives(rng: Random, learner: Learner, load: Load, now_s: float) -> None:
    """One more on one board."""
    load[rng.choice(NAMES)][f"n{now_s}{rng.random()}"] = held(
        rng.choice(MODELS), now_s, output_limit=rng.choice([0, 99])
    )


def reads(rng: Random, learner: Learner, load: Load, now_s: float) -> None:
    """A file that is in a page cache now."""
    learner.pages.used(rng.choice(NAMES), f"{rng.choice(MODELS)}:latest", rng.randint(1, 10**9))


def answers(rng: Random, learner: Learner, load: Load, now_s: float) -> None:
    """An answer of some length."""
    priority = rng.choice(["interactive", "batch"])
    learner.outputs.learn(f"{rng.choice(MODELS)}:latest", priority, rng.randint(1, 900))


def recalls(rng: Random, learner: Learner, load: Load, now_s: float) -> None:
    """What the store had of a board."""
    figures = {"prefill": [rng.uniform(5, 500)], "decode": [rng.uniform(1, 50)],
               "load_s": [rng.uniform(1, 90)], "best_decode": 0.0}  # fmt: skip
    learner.rates.load(rng.choice(NAMES), {f"{rng.choice(MODELS)}:latest": figures})


@pytest.mark.parametrize("seed", range(60))
def test_what_is_kept_changes_no_decision(seed: int) -> None:
    """Through ends, arrivals and all that is learned: the boards that were asked before decide as
    boards of which nothing was ever worked out."""
    rng, now_s, learner = Random(seed), NOW_S, Learner()
    world = a_world(rng, (5, 8))
    for step in range(12):
        known = replace(learner.beliefs(now_s), climates=world.beliefs.climates)
        assert told(world, world.boards, known, now_s) == told(
            world, map(anew, world.boards), known, now_s
        )

        rng.choice([ends, arrives, reads, answers, recalls])(rng, learner, world.load, now_s)
        if rng.random() < 0.3:
            name, ended = rng.choice(NAMES), held(rng.choice(MODELS), now_s, input_tokens=100)
            run = Facts(prompt_s=rng.uniform(0.1, 9), output_tokens=rng.randint(1, 300),
                        output_s=rng.uniform(1, 30), load_s=rng.choice([0.0, 20.0]))  # fmt: skip
            learner.finished(world.fleet.nodes[name], ended, run, now_s)
        world = replace(world, queue=(*world.queue, a_request(rng, f"q{step}")))
        now_s += rng.choice([0.0, 0.1, 5.0])
