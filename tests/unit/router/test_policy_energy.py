"""Energy breaks ties and no more."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.fleets import node
from orion_contracts.power import PI4, PI5
from orion_router.policy.energy import Offer, cheapest, expected_j

BIG, SMALL, UNKNOWN = node("big", power=PI5), node("small", power=PI4), node("unknown")
OFFERS = st.builds(
    Offer,
    cost_s=st.floats(0, 100),
    lane=st.integers(0, 50),
    node=st.sampled_from((BIG, SMALL, UNKNOWN)),
    load_s=st.floats(0, 60),
    work_s=st.floats(0, 60),
)


def offer(cost_s: float, lane: int = 0, on: str = "big", load_s: float = 0.0) -> Offer:
    """Ten seconds of work after the load."""
    return Offer(cost_s, lane, BIG if on == "big" else SMALL, load_s, 10.0)


def test_expected_joules_by_hand() -> None:
    """6 W beyond idling on a Pi 5, 3.7 on a Pi 4; a board that does not say counts as a Pi 5."""
    assert expected_j(BIG, 20.0, 14.0) == pytest.approx(120.0)
    assert expected_j(SMALL, 0.0, 10.0) == pytest.approx(37.0)
    assert expected_j(UNKNOWN, 0.0, 10.0) == pytest.approx(60.0)


def test_off_the_fastest_wins() -> None:
    """By default; of equals the first lane."""
    fast, frugal = offer(10.0, 1), offer(10.1, 0, "small")

    assert cheapest([frugal, fast], 0.0) is fast
    assert cheapest([offer(5.0, 3), offer(5.0, 2, "small")], 0.0) == offer(5.0, 2, "small")


def test_within_the_tie_the_frugal_one_wins() -> None:
    """Below it strictly; at it or beyond, time decides."""
    fast, frugal = offer(10.0, 0), offer(10.5, 1, "small")

    assert cheapest([fast, frugal], 0.6) is frugal
    assert cheapest([fast, frugal], 0.5) is fast
    assert cheapest([fast, frugal], 0.4) is fast


def test_a_load_costs_energy() -> None:
    """Of two boards of one kind that end together, the one that waits instead of loading."""
    loads, waits = offer(30.0, 0, load_s=20.0), offer(30.0, 1)

    assert cheapest([loads, waits], 0.1) is waits


def test_a_chain_of_near_ties_leads_nowhere() -> None:
    """Each is near the one before, but only the second is near the fastest."""
    chain = [
        Offer(10.0, 0, BIG, 0.0, 10.0),
        Offer(10.4, 1, BIG, 0.0, 9.0),
        Offer(10.8, 2, BIG, 0.0, 8.0),
    ]

    assert cheapest(chain, 0.5) is chain[1]


def test_of_the_same_energy_the_faster_one_then_the_first() -> None:
    """Every tie has an end."""
    assert cheapest([offer(10.2, 0), offer(10.1, 1)], 0.5) == offer(10.1, 1)
    assert cheapest([offer(10.1, 7), offer(10.1, 1)], 0.5) == offer(10.1, 1)


@given(st.lists(OFFERS, max_size=8, unique_by=lambda each: each.lane), st.floats(0, 10),
       st.randoms())  # fmt: skip
def test_energy_never_costs_more_than_the_tie(
    offers: list[Offer], tie_s: float, rng: random.Random
) -> None:
    """Whatever is offered, in whatever order: never slower by the tie or more, never thirstier
    than the fastest."""
    best = cheapest(offers, tie_s)
    shuffled = rng.sample(offers, len(offers))
    assert cheapest(shuffled, tie_s) == best
    if best is None:
        assert not offers
        return
    fastest = min(offers, key=lambda each: (each.cost_s, each.lane))
    assert best.cost_s - fastest.cost_s <= tie_s
    assert expected_j(best.node, best.load_s, best.work_s) <= expected_j(
        fastest.node, fastest.load_s, fastest.work_s
    )
