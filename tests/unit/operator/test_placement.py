"""Which board holds which model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from builders.clusters import boards, node, place, plan_of, report, seen, three_nodes
from builders.fleets import GIB
from orion_operator.board import GONE_S, Sighting, place_of
from orion_operator.footprint import Footprint
from orion_operator.placement import PLAN_SHARE, STAY_SHARE, Place, Plan, Sizes, place_models
from orion_operator.spec import read_spec
from orion_operator.spec_models import ModelSpec, PlacementSpec

PI16 = place("pi-16gb", 15.6, node_class="16gb", system_bytes=2 * GIB)
PI8 = place("pi-8gb", 7.6)


def model(name: str, **placement: Any) -> ModelSpec:
    preload = placement.pop("preload", True)
    wanted = PlacementSpec(**placement) if placement else PlacementSpec(replicas=1)
    return ModelSpec(name=name, placement=wanted, preload=preload)


def sizes(**gib: float) -> Sizes:
    """Footprints by model name."""

    def size(model: ModelSpec, _: int) -> Footprint:
        return Footprint("file", int(gib[model.name] * GIB))

    return size


def put(
    models: list[ModelSpec],
    places: list[Place],
    before: Mapping[str, tuple[str, ...]] | None = None,
    **gib: float,
) -> Plan:
    return place_models(models, places, before or {}, sizes(**gib))


def test_two_models_of_one_replica_go_to_two_boards() -> None:
    """A model change costs a minute: boards share the models before they share memory."""
    plan = put([model("a"), model("b")], [PI16, PI8], a=2, b=1)

    assert {m: p.nodes for m, p in plan.items()} == {"a": ("pi-16gb",), "b": ("pi-8gb",)}
    assert all(not p.problem for p in plan.values())


def test_a_large_model_goes_where_it_fits() -> None:
    """8 GiB fit on the 16 GB board alone, and the small one makes room."""
    plan = put([model("small"), model("large")], [PI16, PI8], small=4, large=8)

    assert plan["large"].nodes == ("pi-16gb",)
    assert plan["small"].nodes == ("pi-8gb",)


def test_a_model_that_fits_nowhere_says_the_arithmetic() -> None:
    """Need, share of memory, system, other models, and what is left, for each board."""
    plan = put([model("huge"), model("a")], [PI16, PI8], huge=43.1, a=4)

    assert plan["huge"].nodes == ()
    assert plan["huge"].problem == (
        "on 0 of 1 boards; needs 43.1 GiB (file 43.1 GiB on disk + 0.0 GiB for 4096 tokens of "
        "context); pi-16gb has room for 7.3 GiB (85% of 15.6 GiB - 2.0 GiB system - 4.0 GiB for "
        "a); pi-8gb has room for 5.5 GiB (85% of 7.6 GiB - 1.0 GiB system)"
    )


def test_a_resident_model_stays_where_it_is() -> None:
    """Of two equal boards the one that holds it is chosen; on disk is the second best."""
    one, two = place("one"), place("two", resident=frozenset({"a:latest"}))
    disk = place("two", on_disk=frozenset({"a:latest"}))

    assert put([model("a")], [one, two], a=1)["a"].nodes == ("two",)
    assert put([model("a")], [one, disk], a=1)["a"].nodes == ("two",)


def test_a_new_model_moves_none_that_is_placed() -> None:
    """The previous plan stays, also when another arrangement would look better."""
    before = {"a": ("pi-16gb",), "b": ("pi-16gb",)}
    plan = put([model("a"), model("b"), model("c")], [PI16, PI8], before, a=3, b=3, c=2)

    assert (plan["a"].nodes, plan["b"].nodes) == (("pi-16gb",), ("pi-16gb",))
    assert plan["c"].nodes == ("pi-8gb",)


def test_a_placed_model_may_fill_more_than_a_new_one() -> None:
    """Between 85 % and 90 % it stays, but would not be planned: noise moves nothing."""
    gib = 7.6 * (PLAN_SHARE + STAY_SHARE) / 2 - 1

    assert put([model("a")], [PI8], a=gib)["a"].nodes == ()
    assert put([model("a")], [PI8], {"a": ("pi-8gb",)}, a=gib)["a"].nodes == ("pi-8gb",)
    assert put([model("a")], [PI8], {"a": ("pi-8gb",)}, a=gib + 1)["a"].nodes == ()


def test_boards_named_by_a_person_come_first() -> None:
    """A model pinned to a board displaces one that was only counted there."""
    plan = put(
        [model("counted"), model("pinned", nodes=("pi-8gb",))],
        [PI16, PI8], {"counted": ("pi-8gb",)}, counted=4, pinned=4,
    )  # fmt: skip

    assert plan["pinned"].nodes == ("pi-8gb",)
    assert plan["counted"].nodes == ("pi-16gb",)


def test_a_name_that_is_no_board_is_said() -> None:
    """A misspelt or excluded board is named."""
    plan = put([model("a", nodes=("pi-8gb", "pi-9gb"))], [PI16, PI8], a=1)

    assert plan["a"].nodes == ("pi-8gb",)
    assert "on 1 of 2 boards" in plan["a"].problem
    assert "no board of this cluster that runs models: pi-9gb" in plan["a"].problem


def test_a_class_means_each_of_its_boards() -> None:
    """Every board of the class, also one that is away: it holds the model when it is back."""
    away = place("pi-8c", available=False)
    plan = put([model("a", classes=("8gb",))], [PI16, PI8, place("pi-8b"), away], a=1)

    assert plan["a"].nodes == ("pi-8b", "pi-8c", "pi-8gb")
    assert (plan["a"].wanted, plan["a"].problem) == (3, "")


def test_a_class_without_boards_is_a_problem() -> None:
    """Nothing to place it on."""
    assert (
        "no board is in these classes"
        in put([model("a", classes=("8gb",))], [PI16], a=1)["a"].problem
    )


def test_a_board_that_is_away_is_replaced_and_comes_back() -> None:
    """Its replica moves to another board; when it is back, one of the two goes again."""
    away = place("pi-16gb", 15.6, available=False)
    moved = put([model("a")], [away, PI8], {"a": ("pi-16gb",)}, a=1)
    assert moved["a"].nodes == ("pi-16gb", "pi-8gb")

    warm = place("pi-8gb", resident=frozenset({"a:latest"}))
    back = put([model("a")], [PI16, warm], {"a": moved["a"].nodes}, a=1)
    assert back["a"].nodes == ("pi-8gb",)


def test_a_draining_board_keeps_its_models_and_gets_no_new_ones() -> None:
    """Uncordon costs nothing: the model is still there."""
    draining = place("pi-16gb", 15.6, draining=True)

    assert put([model("a")], [draining], {"a": ("pi-16gb",)}, a=1)["a"].nodes == ("pi-16gb",)
    assert put([model("b")], [draining, PI8], {}, b=1)["b"].nodes == ("pi-8gb",)
    alone = put([model("b")], [draining], {}, b=1)["b"]
    assert (alone.nodes, alone.problem) == ((), "on 0 of 1 boards; away or draining: pi-16gb")


def test_more_replicas_than_boards_is_a_problem() -> None:
    """Placed on all, and said."""
    plan = put([model("a", replicas=3)], [PI16, PI8], a=1)

    assert plan["a"].nodes == ("pi-16gb", "pi-8gb")
    assert plan["a"].problem == "on 2 of 3 boards; there are only 2 boards"


def test_fewer_replicas_leave_the_board_that_holds_it() -> None:
    """Of two, the one where it is resident stays."""
    warm = place("pi-8gb", resident=frozenset({"a:latest"}))
    plan = put([model("a", replicas=1)], [PI16, warm], {"a": ("pi-16gb", "pi-8gb")}, a=1)

    assert plan["a"].nodes == ("pi-8gb",)
    assert put([model("a", replicas=0)], [PI16], {"a": ("pi-16gb",)}, a=1)["a"].nodes == ()


def test_a_model_that_is_only_fetched_takes_no_memory() -> None:
    """`preload: false`: it needs to fit alone, beside nothing."""
    plan = put([model("kept"), model("fetched", preload=False)], [PI8], kept=4, fetched=4)

    assert (plan["kept"].nodes, plan["fetched"].nodes) == (("pi-8gb",), ("pi-8gb",))


def test_an_engine_that_keeps_one_model_gets_one() -> None:
    """OLLAMA_MAX_LOADED_MODELS=1: a second one would push the first out."""
    one = place("pi-8gb", most_models=1)
    plan = put([model("a"), model("b")], [one], a=2, b=1)

    assert plan["a"].nodes == ("pi-8gb",)
    assert "pi-8gb keeps at most 1 models at once" in plan["b"].problem


def test_a_model_of_unknown_size_is_placed() -> None:
    """Better tried than refused; its size is known once it is fetched."""
    plan = place_models([model("a")], [PI8], {}, lambda _m, _s: Footprint("unknown"))

    assert (plan["a"].nodes, plan["a"].problem) == (("pi-8gb",), "")


def test_excluded_boards_are_never_planned() -> None:
    """The 4 GB board gets nothing, however many replicas are wanted or whoever names it."""
    spec = read_spec(
        {"models": [{"name": "a", "placement": {"replicas": 3}},
                    {"name": "b", "placement": {"nodes": ["pi-4gb"]}}]}
    )  # fmt: skip
    plan = plan_of(spec, boards(spec))

    assert plan["a"].nodes == ("pi-16gb", "pi-8gb")
    assert plan["b"].nodes == ()
    assert "no board of this cluster that runs models: pi-4gb" in plan["b"].problem


def test_a_board_counts_as_away_after_five_minutes() -> None:
    """Not for a restart of its worker; at once when Kubernetes says that it is not ready."""
    spec = read_spec({})
    silence = {GONE_S - 1: True, GONE_S: False}
    for silent_s, available in silence.items():
        (board,) = boards(spec, [node("pi")], {"pi": Sighting(heard=True, silent_s=silent_s)})
        assert place_of(board).available is available
    (broken,) = boards(spec, [node("pi", ready=False)], {"pi": seen("pi")})
    assert not place_of(broken).available


def test_memory_that_others_use_is_left_out() -> None:
    """What the board uses beside models counts as system, in steps of half a GiB."""
    spec = read_spec({})
    used = report("pi", {"m": 2.0}, memory_total_bytes=8 * GIB,
                  memory_available_bytes=int(2.6 * GIB))  # fmt: skip
    (board,) = boards(spec, [node("pi")], {"pi": Sighting(report=used, alive=True)})

    assert place_of(board).system_bytes == int(3.5 * GIB)  # 5.4 used, 2.0 of it the model


names = st.sampled_from(["a", "b", "c", "d"])
placements = st.one_of(
    st.builds(PlacementSpec, replicas=st.integers(0, 4)),
    st.builds(PlacementSpec, nodes=st.lists(st.sampled_from(["n0", "n1", "n9"]), min_size=1,
                                            unique=True).map(tuple)),
    st.builds(PlacementSpec, classes=st.just(("8gb",))),
)  # fmt: skip
worlds = st.tuples(
    st.lists(st.builds(ModelSpec, name=names, placement=placements, preload=st.booleans()),
             unique_by=lambda m: m.name, max_size=4),
    st.lists(st.tuples(st.floats(4, 16), st.booleans(), st.booleans()), max_size=5),
    st.dictionaries(names, st.floats(0.1, 9), min_size=4),
)  # fmt: skip


@given(worlds)
def test_any_plan_is_sound_and_stands_still(world: Any) -> None:
    """Deterministic, within memory, never more boards than wanted serve, and planning again from
    the plan changes nothing."""
    models, shapes, gib = world
    places = [
        place(f"n{i}", size, available=available, draining=draining)
        for i, (size, available, draining) in enumerate(shapes)
    ]
    plan = put(models, places, **gib)
    again = put(models, list(reversed(places)), {m: p.nodes for m, p in plan.items()}, **gib)

    assert again == plan
    for here in places:
        kept = [m for m in models if here.name in plan[m.name].nodes and m.preload]
        assert sum(int(gib[m.name] * GIB) for m in kept) <= here.room(STAY_SHARE)
    for each in models:
        if each.placement.replicas is not None:
            assert len(plan[each.name].nodes) <= each.placement.replicas


def test_the_customers_boards_hold_three_models() -> None:
    """llama3.2:3b on both boards and two small ones, by the sizes of Ollama's files."""
    spec = read_spec(
        {
            "models": [
                {"name": "llama3.2:3b", "placement": {"replicas": 2}},
                {"name": "qwen2.5:0.5b", "placement": {"classes": ["8gb"]}},
                {"name": "llama3.1:8b", "placement": {"nodes": ["pi-16gb"]}},
            ]
        }
    )
    plan = plan_of(spec, boards(spec, three_nodes()))

    assert {m: p.nodes for m, p in plan.items()} == {
        "llama3.2:3b": ("pi-16gb", "pi-8gb"),
        "qwen2.5:0.5b": ("pi-8gb",),
        "llama3.1:8b": ("pi-16gb",),
    }
    assert not any(p.problem for p in plan.values())


@pytest.mark.parametrize("boards_count", [0, 1])
def test_without_enough_boards_the_plan_says_so(boards_count: int) -> None:
    """No board at all, or all of them excluded."""
    places = [PI8][:boards_count]
    problem = put([model("a", replicas=2)], places, a=1)["a"].problem

    assert problem == (
        "on 1 of 2 boards; there are only 1 boards"
        if boards_count
        else "on 0 of 2 boards; there is no board that runs models"
    )
