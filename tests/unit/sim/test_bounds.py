"""Bounds: below every schedule, exact where the answer is known by hand."""

from dataclasses import replace

import pytest

from orion_lab import boards
from orion_lab.models import model
from orion_lab.sim.asks import Ask
from orion_lab.sim.bounds.anneal import anneal, orders_of
from orion_lab.sim.bounds.completion import completion_bound_s
from orion_lab.sim.bounds.makespan import makespan_bound_s
from orion_lab.sim.bounds.schedule import Schedule
from orion_lab.sim.fleets import fleet
from orion_lab.sim.peers.catalogue import PEERS
from orion_lab.sim.ratios import compared, ratio
from orion_lab.sim.results import result
from orion_lab.sim.runner import compare
from orion_lab.sim.runs import arrivals, simulate
from orion_lab.sim.tables import figures, ratios
from orion_lab.sim.workloads import BURST, CHAT, MODEL_1B, MODEL_3B, frozen

FLEET_A = fleet("a")
SMALL_BURST = replace(BURST, burst=20)


def ask(name: str, number: int, output: int, arrived_s: float = 0.0) -> Ask:
    return Ask(
        f"r{number}",
        name,
        f"u{number}",
        "s",
        "interactive",
        7,
        ((number, 7),),
        output,
        arrived_s,
        -1,
    )


def test_one_board_and_one_model_by_hand() -> None:
    """A load and the work, no more; the mean completion is that of one after the other."""
    spec, size = boards.board("pi-8gb"), model(MODEL_1B).size_bytes
    asks = [ask(MODEL_1B, number, 9) for number in range(4)]
    work_s = 10 * size / 9e9

    assert makespan_bound_s([spec], asks) == pytest.approx(0.5 + size / 72e6 + 4 * work_s, rel=2e-4)
    assert completion_bound_s([spec], asks) == pytest.approx(2.5 * work_s)


def test_two_boards_each_load_what_pays() -> None:
    """With little work of the second model, one board loads it and the other never does."""
    spec = boards.board("pi-8gb")
    asks = [ask(MODEL_1B, 1, 1000), ask(MODEL_3B, 2, 9)]
    one, two = (makespan_bound_s([spec] * boards_, asks) for boards_ in (1, 2))

    assert two < one
    loads_s = [0.5 + model(name).size_bytes / 72e6 for name in (MODEL_1B, MODEL_3B)]
    work_s = (1001 * model(MODEL_1B).size_bytes + 10 * model(MODEL_3B).size_bytes) / 9e9
    assert two == pytest.approx((work_s + 2 * loads_s[0] + loads_s[1]) / 2, rel=0.2)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_policy_beats_the_bounds(seed: int) -> None:
    """Makespan and mean completion of every peer are above them."""
    asks = arrivals(FLEET_A, SMALL_BURST, PEERS["sticky"], seed)
    makespan_s = makespan_bound_s(FLEET_A.boards, asks)
    completion_s = completion_bound_s(FLEET_A.boards, asks)

    for policy in PEERS.values():
        outcome = simulate(FLEET_A, SMALL_BURST, policy(seed), seed)
        figures_ = result(outcome, "", "", "", seed)
        assert figures_.makespan_s > makespan_s
        assert figures_.completion.overall.mean > completion_s


@pytest.mark.parametrize("name", ["least connections", "sticky"])
def test_an_offline_schedule_costs_what_the_simulator_says(name: str) -> None:
    """Replaying a run's own orders gives its own times: loads, prompts and heat included."""
    asks = arrivals(FLEET_A, replace(CHAT, lasts_s=900.0), PEERS["sticky"], 1)
    trace = frozen("trace", asks, CHAT, 900.0)
    records = simulate(FLEET_A, trace, PEERS[name](1), 1).records
    schedule = Schedule(FLEET_A.boards, orders_of(records, FLEET_A.names()), 25.0)
    replayed = {
        each.request_id: times.done_s
        for order, lane in zip(schedule.orders, schedule.times, strict=True)
        for each, times in zip(order, lane, strict=True)
    }

    assert replayed == pytest.approx(
        {each.ask.request_id: each.done_s for each in records}, rel=1e-9
    )


@pytest.mark.parametrize("objective", ["first token", "completion", "makespan"])
def test_annealing_only_improves(objective: str) -> None:
    """It keeps every request, beats its start, stays above the bound, and repeats by seed."""
    records = simulate(FLEET_A, SMALL_BURST, PEERS["round robin"](1), 1).records
    start = orders_of(records, FLEET_A.names())
    found, again = (
        anneal(FLEET_A.boards, start, objective=objective, steps=400, seed=5) for _ in range(2)
    )

    assert found == again
    assert found.best_s < found.start_s
    kept = sorted(each.request_id for order in found.orders for each in order)
    assert kept == sorted(record.ask.request_id for record in records)
    if objective == "makespan":
        assert found.best_s > makespan_bound_s(FLEET_A.boards, [each.ask for each in records])


def test_ratios_are_paired_geometric_means() -> None:
    """Twice and half as much is the same on average, and unpaired results are refused."""
    mean = ratio([2.0, 1.0], [1.0, 2.0])

    assert mean.mean == pytest.approx(1.0)
    assert (mean.lowest, mean.highest) == pytest.approx((0.5, 2.0))
    one, two = compare(
        FLEET_A, SMALL_BURST, [PEERS["sticky"], PEERS["round robin"]], [1, 2], processes=1
    )
    with pytest.raises(ValueError, match="not paired"):
        compared(one, two[::-1], lambda each: each.makespan_s)
    assert "round robin" in ratios(one, [two])
    assert "sticky" in figures([one, two])
