"""The plan of harm: drawn from its seed, exact in its shares, nobody hurt who is down."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orion_lab.trials.nemesis import Menu, plan

VICTIMS = {"worker": ["worker-a", "worker-b"], "router": ["router-0"], "store": ["store"]}


@given(st.integers())
def test_a_seed_gives_one_plan_with_the_shares_asked_for(seed: int) -> None:
    """60 kills as 36, 12 and 12, ten pauses of which two stall the store; the same every time."""
    deeds = plan(seed, VICTIMS, Menu())

    kinds = Counter((deed.deed, deed.victim.partition("-")[0]) for deed in deeds)
    assert kinds == {
        ("kill", "worker"): 36,
        ("kill", "router"): 12,
        ("kill", "store"): 12,
        ("pause", "worker"): 8,
        ("pause", "store"): 2,
    }
    assert deeds == plan(seed, VICTIMS, Menu()) == sorted(deeds)


@given(st.integers())
def test_pauses_outlast_leases_and_fit_the_span(seed: int) -> None:
    """Each pause is longer than the liveness of 4 s and the 5 s that clients wait."""
    menu = Menu()

    for deed in plan(seed, VICTIMS, menu):
        assert 0 <= deed.at_s <= menu.span_s
        assert deed.deed == "kill" or deed.for_s > 5.0


def test_a_paused_worker_is_not_killed_while_another_is_up() -> None:
    """A kill would end the pause that was to outlast the lease."""
    deeds = plan(7, VICTIMS, Menu(kills=20, pauses=2, span_s=100.0))

    pauses = [deed for deed in deeds if deed.deed == "pause"]
    for kill in (deed for deed in deeds if deed.deed == "kill" and "worker" in deed.victim):
        for pause in pauses:
            during = pause.at_s <= kill.at_s <= pause.at_s + pause.for_s
            assert not (during and kill.victim == pause.victim)
