"""A simulated board: loads, prompts and heat, against hand-computed values and thermal.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_lab import boards, thermal
from orion_lab.models import model
from orion_lab.rates import throttle_factor
from orion_lab.sim.asks import Ask, Prefix, common_tokens
from orion_lab.sim.board import Board
from orion_lab.sim.conditions import Conditions
from orion_lab.sim.heat import above_s, after_c, work_takes_s
from orion_lab.sim.prompts import Prompts
from orion_lab.sim.workloads import MODEL_1B, MODEL_3B, MODEL_7B

TEMPERATURES = st.floats(20, 110)


def ask(name: str, *boundaries: int, output: int = 60, number: int = 0) -> Ask:
    """A request whose prompt has boundaries at these token counts."""
    prefix: Prefix = tuple((1000 * number + index, at) for index, at in enumerate(boundaries))
    return Ask(
        f"r{number}-{boundaries}",
        name,
        f"u{number}",
        f"s{number}",
        "interactive",
        boundaries[-1],
        prefix,
        output,
        0.0,
        reply_hash=1000 * number + len(boundaries),
    )


def board(spec: str = "pi-8gb", **switches: float) -> Board:
    return Board("x", boards.board(spec), Conditions(**switches))  # type: ignore[arg-type]


def serve(on: Board, request: Ask, now_s: float) -> tuple[float, float, float]:
    """Load, prompt and answer seconds."""
    service = on.start(request, now_s, now_s)
    on.finish(service.done_s)
    facts = service.facts()
    return facts.load_s, facts.prompt_s, facts.decode_s


def test_one_request_by_hand() -> None:
    """A cold 3B model from an SD card: 0.5 s + size / 72 MB/s, then prompt and answer."""
    size = model(MODEL_3B).size_bytes
    load_s, prompt_s, decode_s = serve(board(), ask(MODEL_3B, 140), 0.0)

    assert load_s == pytest.approx(0.5 + size / 72e6)
    assert prompt_s == pytest.approx(140 / 7 * size / 9e9)
    assert decode_s == pytest.approx(60 * size / 9e9)


def test_a_model_that_was_read_is_in_the_page_cache() -> None:
    """An 8 GB board keeps 1B and 3B warm until a 7B passes through."""
    small = board()
    cold = [serve(small, ask(name, 10), at_s)[0] for at_s, name in enumerate((MODEL_1B, MODEL_3B))]
    warm = serve(small, ask(MODEL_1B, 10), 100.0)[0]
    serve(small, ask(MODEL_7B, 10), 200.0)
    after = serve(small, ask(MODEL_1B, 10), 400.0)[0]

    assert warm == pytest.approx(0.5 + model(MODEL_1B).size_bytes / 4e9)
    assert after == pytest.approx(cold[0])
    assert small.loads == 5
    assert small.disk_loads == 4


def test_the_page_cache_can_be_switched_off() -> None:
    """Then every load reads the disk."""
    small = Board("x", boards.board("pi-8gb"), Conditions(page_cache=False))
    first = serve(small, ask(MODEL_1B, 10), 0.0)
    serve(small, ask(MODEL_3B, 10), 100.0)

    assert serve(small, ask(MODEL_1B, 10), 200.0)[0] == pytest.approx(first[0])


def test_the_least_recently_used_model_makes_room() -> None:
    """A 16 GB board holds two; use, not age of the load, decides who stays."""
    large = board("pi-16gb")
    for at_s, name in enumerate((MODEL_1B, MODEL_3B, MODEL_1B, MODEL_7B)):
        serve(large, ask(name, 10), at_s * 100.0)

    assert large.resident == (MODEL_1B, MODEL_7B)


def test_a_follow_up_skips_the_prefix_it_left() -> None:
    """Only if it was the last conversation of that model there; with two kept, both are skipped."""
    first, follow = ask(MODEL_1B, 100), ask(MODEL_1B, 100, 160, 190)
    other = ask(MODEL_1B, 50, number=2)

    def prefilled(kept: int) -> list[int]:
        x = Board("x", boards.board("pi-8gb"), Conditions(prompts_kept=kept))
        counts: list[int] = []
        for at_s, each in enumerate((first, follow, other, follow)):
            service = x.start(each, at_s * 100.0, at_s * 100.0)
            x.finish(service.done_s)
            counts.append(service.prefilled_tokens)
        return counts

    assert prefilled(1) == [100, 30, 50, 190]
    assert prefilled(2) == [100, 30, 50, 1]


def test_kept_prompts_are_bounded_by_their_tokens() -> None:
    """The last conversation always stays; the others as far as there is room."""
    prompts = Prompts(8, room_tokens=150)
    for number in range(4):
        prompts.add(ask(MODEL_1B, 100, output=1, number=number).prompt_prefix)

    assert len(prompts) == 2


@given(st.lists(st.integers(1, 5)), st.lists(st.integers(1, 5)))
def test_common_tokens_end_at_a_boundary_of_both(one: list[int], other: list[int]) -> None:
    """What is shared is a prefix of both, and the same either way."""
    first: Prefix = tuple((each, 10 * (at + 1)) for at, each in enumerate(one))
    second: Prefix = tuple((each, 10 * (at + 1)) for at, each in enumerate(other))
    shared = common_tokens(first, second) // 10

    assert first[:shared] == second[:shared]
    assert common_tokens(first, second) == common_tokens(second, first)


@pytest.mark.parametrize("spec", ["pi-8gb", "pi-8gb-passive", "pi-8gb-poor"])
def test_a_busy_board_settles_where_thermal_says(spec: str) -> None:
    """After 20 minutes of answers the board is at the steady temperature, and cools as it rises."""
    hot = Board("x", boards.board(spec), Conditions())
    service = hot.start(ask(MODEL_7B, 10, output=2400), 0.0, 0.0)
    hot.finish(service.done_s)
    steady_c = thermal.steady_c(boards.board(spec), 25.0, 1.0)

    assert hot.temperature_c(service.done_s) == pytest.approx(steady_c, abs=0.1)
    assert hot.temperature_c(service.done_s + 150) == pytest.approx(
        45 + (steady_c - 45) / 2.71828, abs=0.1
    )
    assert (hot.throttled_s > 0) == (steady_c > 80)


@given(st.floats(0.1, 500), TEMPERATURES, TEMPERATURES)
def test_work_under_heat_is_the_integral_of_speed(
    work_s: float, start_c: float, target_c: float
) -> None:
    """Adding up small steps gives the same work as the closed form."""
    takes_s = work_takes_s(work_s, start_c, target_c)
    steps = 4000
    dt_s = takes_s / steps
    done = sum(
        throttle_factor(after_c(start_c, target_c, (step + 0.5) * dt_s)) * dt_s
        for step in range(steps)
    )

    assert work_s <= takes_s * (1 + 1e-9) <= work_s / 0.6 * (1 + 1e-6)
    assert done == pytest.approx(work_s, rel=2e-4)


@given(st.floats(0.1, 500), TEMPERATURES, TEMPERATURES)
def test_time_above_a_bound_is_counted_exactly(
    dt_s: float, start_c: float, target_c: float
) -> None:
    """Sampling gives the same share."""
    steps = 2000
    hot = sum(after_c(start_c, target_c, (step + 0.5) * dt_s / steps) > 80 for step in range(steps))

    assert above_s(start_c, target_c, dt_s) == pytest.approx(hot / steps * dt_s, abs=dt_s / 500)
