"""The peers' rules, each on a view made by hand."""

from collections import Counter

from orion_lab import boards
from orion_lab.sim.asks import Ask
from orion_lab.sim.peers.chwbl import BoundedHashing
from orion_lab.sim.peers.gates import Gate
from orion_lab.sim.peers.herd import HerdLike
from orion_lab.sim.peers.plain import (
    GatedLeastConnections,
    LeastConnections,
    RandomBoard,
    RoundRobin,
)
from orion_lab.sim.peers.sticky import Sticky, StickyLate
from orion_lab.sim.policies import Facts
from orion_lab.sim.views import BoardView, Holding, Report, View
from orion_lab.sim.workloads import MODEL_1B, MODEL_3B

GB = 1_000_000_000


def ask(name: str = MODEL_1B, number: int = 0) -> Ask:
    return Ask(f"r{number}", name, "u", "s", "interactive", 10, ((number, 10),), 5, 0.0, -1)


def board(
    name: str,
    held: int = 0,
    *resident: str,
    heat_c: float = 50.0,
    alive: bool = True,
    window: int = 2,
) -> BoardView:
    holding = tuple(Holding(ask(MODEL_1B, each), 0.0, None, 0) for each in range(held))
    return BoardView(
        name,
        boards.board("pi-8gb"),
        alive,
        window,
        max(0, window - held),
        holding,
        resident,
        None,
        (Report(0.0, heat_c),),
        8 * GB,
        6 * GB,
    )


def view(*seen: BoardView, queue: tuple[Ask, ...] = ()) -> View:
    return View(1.0, queue, seen)


def test_random_and_round_robin_reach_everybody_who_lives() -> None:
    """Every living board gets work, a dead one none; in turn, or about evenly."""
    three = view(board("x"), board("dead", alive=False), board("y"))
    turns, dice = RoundRobin(), RandomBoard(1)

    assert [turns.choose(ask(), three) for _ in range(4)] == ["x", "y", "x", "y"]
    counts = Counter(dice.choose(ask(), three) for _ in range(200))
    assert set(counts) == {"x", "y"}
    assert min(counts.values()) > 60


def test_least_connections_counts_and_takes_turns() -> None:
    """The fewest requests win; among equals the one chosen longest ago."""
    policy = LeastConnections()

    assert policy.choose(ask(), view(board("x", 2), board("y", 1))) == "y"
    same = view(board("x"), board("y"), board("z"))
    assert [policy.choose(ask(), same) for _ in range(4)] == ["x", "z", "y", "x"]


def test_a_gate_stays_shut_until_the_board_is_cool() -> None:
    """Shut above 75 degrees, open again at 70, and not before."""
    gate, states = Gate(), list[bool]()
    for heat_c in (75.0, 75.1, 72.0, 70.1, 70.0, 74.0):
        seen = board("x", heat_c=heat_c)
        gate.see(view(seen))
        states.append(gate.admits(seen))

    assert states == [True, False, False, False, True, True]


def test_gated_policies_avoid_hot_boards_but_never_refuse() -> None:
    """A hot board gets nothing while there is another; if all are hot, the least loaded."""
    policy = GatedLeastConnections()
    mixed = view(board("hot", 0, heat_c=76.0), board("y", 3))
    policy.watch(mixed)

    assert policy.choose(ask(), mixed) == "y"
    hot = view(board("hot", 0, heat_c=76.0), board("y", 3, heat_c=76.0))
    policy.watch(hot)
    assert policy.choose(ask(), hot) == "hot"


def test_sticky_prefers_residency_over_load() -> None:
    """A healthy board with the model wins whatever its queue; otherwise the least loaded."""
    policy = Sticky()

    assert policy.choose(ask(), view(board("x", 9, MODEL_1B), board("y"))) == "x"
    assert policy.choose(ask(MODEL_3B), view(board("x", 9, MODEL_1B), board("y"))) == "y"
    both = view(board("x", 3, MODEL_1B), board("y", 1, MODEL_1B))
    assert policy.choose(ask(), both) == "y"
    hot = view(board("x", 0, MODEL_1B, heat_c=80.0), board("y"))
    policy.watch(hot)
    assert policy.choose(ask(), hot) == "y"


def test_sticky_late_fills_the_window_of_the_board_with_the_model() -> None:
    """Two go to the board that has the model, the third to another, the rest stays queued."""
    queue = tuple(ask(number=each) for each in range(6))
    seen = view(board("x", 0, MODEL_1B), board("y", 1), queue=queue)

    assert StickyLate().plan(seen) == [("r0", "x"), ("r1", "x"), ("r2", "y")]


def test_bounded_hashing_spills_at_its_bound() -> None:
    """A model has one home while there is room; nobody holds more than 1.25 times the mean."""
    policy = BoundedHashing(1)
    empty = view(*(board(name) for name in "wxyz"))
    home = policy.choose(ask(), empty)

    assert {policy.choose(ask(), empty) for _ in range(5)} == {home}
    held = dict.fromkeys("wxyz", 0)
    for _ in range(40):
        seen = view(*(board(name, count) for name, count in held.items()))
        held[policy.choose(ask(), seen)] += 1
    assert max(held.values()) <= 13
    homes = {BoundedHashing(seed).choose(ask(), empty) for seed in range(20)}
    assert len(homes) > 1


def test_the_herd_weighs_heat_against_queue_and_wait() -> None:
    """A resident model wins until depth and latency cost more than a cold start."""
    policy = HerdLike()
    assert policy.choose(ask(), view(board("y"), board("x", 3, MODEL_1B))) == "x"
    policy.finished(ask(), "x", Facts(1.0, 0.0, 10.0, 10, 10, 20.0, 60, ()))

    assert policy.choose(ask(number=1), view(board("y"), board("x", 3, MODEL_1B))) == "x"
    other = Ask("o", MODEL_1B, "v", "other", "interactive", 10, ((9, 10),), 5, 0.0, -1)
    assert policy.choose(other, view(board("y"), board("x", 9, MODEL_1B))) == "y"
