"""The event loop: what every run keeps, whatever the policy."""

from dataclasses import replace
from itertools import pairwise

import pytest

from orion_lab.sim.asks import Ask
from orion_lab.sim.conditions import Conditions
from orion_lab.sim.fleets import fleet
from orion_lab.sim.outcomes import Outcome
from orion_lab.sim.peers.catalogue import PEERS
from orion_lab.sim.runner import compare
from orion_lab.sim.runs import run, simulate
from orion_lab.sim.views import View
from orion_lab.sim.workloads import (
    BURST,
    CHAT,
    HOT,
    MIXED,
    POISSON,
    WORKLOADS,
    Failure,
    Workload,
)

FLEET_A, FLEET_B = fleet("a"), fleet("b")
SHORT_CHAT = replace(CHAT, lasts_s=900.0)
FAILING = replace(SHORT_CHAT, failures=(Failure(0, 200.0, 400.0), Failure(1, 203.0, 600.0)))


def outcome(name: str, workload: Workload = SHORT_CHAT, seed: int = 3) -> Outcome:
    return simulate(FLEET_A, workload, PEERS[name](seed), seed)


@pytest.mark.parametrize("name", PEERS)
def test_a_run_is_a_function_of_its_seed(name: str) -> None:
    """The same seed gives the same figures; another one does not."""
    first, again, other = (run(FLEET_A, SHORT_CHAT, PEERS[name], seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other


@pytest.mark.parametrize("workload", [BURST, SHORT_CHAT, FAILING], ids=["burst", "chat", "failing"])
@pytest.mark.parametrize("name", PEERS)
def test_every_request_ends_once_and_alone(name: str, workload: Workload) -> None:
    """No request is lost or answered twice, and a board serves one at a time."""
    done = outcome(name, workload)

    ids = [record.ask.request_id for record in done.records]
    assert len(ids) == len(set(ids)) > 40
    for board in done.boards:
        served = sorted(
            (each for each in done.records if each.board == board.name),
            key=lambda each: each.started_s,
        )
        assert all(before.done_s <= after.started_s for before, after in pairwise(served))
    for each in done.records:
        assert each.ask.arrived_s <= each.dispatched_s <= each.started_s <= each.loaded_s
        assert each.loaded_s < each.first_token_s < each.done_s


def test_users_behave_alike_under_every_policy() -> None:
    """The n-th request of a user has the same model and lengths; an open loop the same times."""
    runs = [outcome(name) for name in PEERS]
    facts = [
        {
            each.ask.request_id: (each.ask.model, each.ask.input_tokens, each.ask.output_tokens)
            for each in done.records
        }
        for done in runs
    ]
    shared = {request for request in facts[0] if all(request in each for each in facts)}
    open_loops = [
        {each.ask for each in outcome(name, replace(POISSON, lasts_s=600.0)).records}
        for name in PEERS
    ]

    assert len(shared) > 40
    assert all(each[request] == facts[0][request] for each in facts for request in shared)
    assert all(each == open_loops[0] for each in open_loops)


def test_a_dead_board_serves_nothing() -> None:
    """What it had is run elsewhere or later, and it starts again with an empty memory."""
    done = outcome("least connections", FAILING)
    dead = [each for each in done.records if each.board.startswith("00")]

    assert not [each for each in dead if each.started_s < 400.0 and each.done_s > 200.0]
    back = min((each for each in dead if each.started_s >= 400.0), key=lambda each: each.started_s)
    assert back.from_disk


def test_a_summer_heats_and_the_gate_cools() -> None:
    """In the hot workload the gate cuts the time above 80 degrees by far."""
    plain, gated = (
        run(FLEET_A, replace(HOT, lasts_s=1800.0), PEERS[name], 1)
        for name in ("least connections", "least connections, gated")
    )

    assert plain.throttled_s > 500
    assert gated.hot_node_s < plain.hot_node_s / 2
    assert plain.max_c > 85


def test_mixed_work_has_two_classes() -> None:
    """Batch requests are told apart, and count in the whole."""
    figures = run(FLEET_A, replace(MIXED, lasts_s=900.0), PEERS["round robin"], 1)

    assert figures.first_token.batch.mean > 0
    low, high = sorted((figures.first_token.batch.mean, figures.first_token.interactive.mean))
    assert low <= figures.first_token.overall.mean <= high


def test_placed_models_are_there_before_the_run() -> None:
    """With fleet a placed, sticky loads nothing at all."""
    cold, placed = (run(FLEET_A, BURST, PEERS["sticky"], 1, placed=each) for each in (False, True))

    assert placed.loads_per_100 == 0
    assert cold.loads_per_100 > 0


def test_switches_of_the_world_matter() -> None:
    """Without page cache every load reads the disk; kept prompts save prefill."""
    policy = PEERS["least connections"]
    base = run(FLEET_A, SHORT_CHAT, policy, 1)
    uncached = run(FLEET_A, SHORT_CHAT, policy, 1, page_cache=False)
    kept = run(FLEET_A, SHORT_CHAT, policy, 1, prompts_kept=8)

    assert base.disk_loads_per_100 < base.loads_per_100
    assert uncached.disk_loads_per_100 == uncached.loads_per_100
    assert kept.prefill_saved_s > base.prefill_saved_s


def test_samples_on_demand() -> None:
    """A time series has one entry per interval, with a value per board."""
    done = run(FLEET_A, BURST, PEERS["sticky"], 1, conditions=Conditions(sample_every_s=10.0))

    assert [sample.at_s for sample in done.samples[:3]] == [0.0, 10.0, 20.0]
    assert {len(sample.temperature_c) for sample in done.samples} == {3}


class Looks:
    """Sends everything to the first board when it is free, and keeps what it saw."""

    name = "looks"

    def __init__(self) -> None:
        self.views: list[View] = []

    def plan(self, view: View) -> list[tuple[str, str]]:
        self.views.append(view)
        board = view.boards[0]
        return [(view.queue[0].request_id, board.name)] if view.queue and board.free_slots else []


def test_a_late_policy_sees_the_world_as_a_router_does() -> None:
    """What it holds is true at once; a lying thermometer is believed, and late."""
    policy = Looks()
    conditions = Conditions(health_stale_s=5.0, thermometer_offset_c={"00-pi-16gb": 40.0})
    simulate(FLEET_A, replace(BURST, burst=4), policy, 1, conditions)

    loading = next(view for view in policy.views if view.boards[0].loading)
    holding = loading.boards[0].holding[0]
    assert loading.boards[0].resident == (holding.ask.model,)
    assert loading.boards[0].free_slots == 0
    assert holding.first_token_s is None
    assert policy.views[-1].boards[0].temperature_c > 80
    assert policy.views[-1].boards[1].temperature_c < 50
    late = policy.views[-1]
    assert 5.0 <= late.report_age_s(late.boards[0]) <= 10.0
    growing = [
        view.boards[0].holding[0].tokens_so_far for view in policy.views if view.boards[0].holding
    ]
    assert max(growing) > 0


class Overfills(Looks):
    """Breaks the rule of free slots."""

    name = "overfills"

    def plan(self, view: View) -> list[tuple[str, str]]:
        return [(ask.request_id, view.boards[0].name) for ask in view.queue]


def test_a_policy_that_overfills_a_board_is_refused() -> None:
    """The run fails and names the policy and the board."""
    with pytest.raises(ValueError, match="overfills: 00-pi-16gb cannot take"):
        simulate(FLEET_A, BURST, Overfills(), 1)


class Idle(Looks):
    """Dispatches nothing."""

    name = "idle"

    def plan(self, view: View) -> list[tuple[str, str]]:
        return []


def test_a_policy_that_never_serves_is_found_out() -> None:
    """The run ends with an error instead of not at all."""
    with pytest.raises(RuntimeError, match="idle: 1 requests are never served"):
        simulate(FLEET_A, replace(BURST, burst=1), Idle(), 1)


def test_two_processes_give_what_one_gives() -> None:
    """Runs are values: where they are computed does not matter."""
    policies = [PEERS["sticky"], PEERS["round robin"]]

    one, two = (compare(FLEET_A, BURST, policies, [1, 2], processes=n) for n in (1, 2))
    assert repr(one) == repr(two)  # NaN is not equal to itself


def test_all_workloads_run_on_all_fleets() -> None:
    """Every named workload makes requests for every fleet, and requests know their user."""
    for workload in WORKLOADS.values():
        for each in (FLEET_A, FLEET_B, fleet("c")):
            asks: list[Ask] = list(workload.source(each, 1).start())

            assert asks
            assert all(ask.session.startswith(ask.user) for ask in asks)
