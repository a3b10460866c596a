"""Heat, memory and speed of a simulated board."""

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_lab import memory, rates, thermal, world
from orion_lab.boards import CATALOGUE, board
from orion_lab.memory import PageCache
from orion_lab.models import full_name, model

PI_16GB, PI_8GB, ZERO = board("pi-16gb"), board("pi-8gb"), board("zero")
TEMPERATURES = st.floats(0, 120)


def test_decoding_reads_the_whole_model_once_per_token() -> None:
    """A 9 GB model makes one token per second on a Pi 5, and prefills seven times as fast."""
    assert rates.decode_s_per_token(PI_8GB, 9_000_000_000) == pytest.approx(1.0)
    assert rates.prefill_s_per_token(PI_8GB, 9_000_000_000) == pytest.approx(1 / 7)


def test_loading_takes_the_disk_or_the_page_cache() -> None:
    """2 GB come in 28 s from an SD card, 4.5 s from NVMe, 1 s from the page cache."""
    size = 2_000_000_000

    assert rates.load_s(PI_8GB, size, page_cached=False) == pytest.approx(0.5 + size / 72e6)
    assert rates.load_s(PI_16GB, size, page_cached=False) == pytest.approx(4.5)
    assert rates.load_s(PI_8GB, size, page_cached=True) == pytest.approx(1.0)


def test_the_zero_board_costs_no_time() -> None:
    """Loads and tokens take exactly nothing."""
    assert ZERO.instant
    assert rates.load_s(ZERO, 5_000_000_000, page_cached=False) == 0.0
    assert rates.decode_s_per_token(ZERO, 5_000_000_000) == 0.0


@pytest.mark.parametrize(
    ("temperature_c", "factor"), [(20, 1.0), (80, 1.0), (82.5, 0.8), (85, 0.6), (100, 0.6)]
)
def test_throttling_is_linear_between_80_and_85(temperature_c: float, factor: float) -> None:
    """Full speed below, 0.6 above."""
    assert rates.throttle_factor(temperature_c) == pytest.approx(factor)


@given(TEMPERATURES, TEMPERATURES)
def test_hotter_is_never_faster(one_c: float, other_c: float) -> None:
    """The factor falls with the temperature."""
    cool, hot = sorted((one_c, other_c))

    assert rates.throttle_factor(cool) >= rates.throttle_factor(hot) >= world.THROTTLE_FLOOR


def test_boards_settle_where_the_study_says() -> None:
    """At 25 degrees: 45 idle, 61 with active cooling, 77 passive, 88 poor; loading in between."""
    settled = {
        name: thermal.steady_c(board(name), 25.0, 1.0)
        for name in ("pi-8gb", "pi-8gb-passive", "pi-8gb-poor")
    }

    assert thermal.steady_c(PI_8GB, 25.0, 0.0) == 45.0
    assert settled == {"pi-8gb": 61.0, "pi-8gb-passive": 77.0, "pi-8gb-poor": 88.0}
    assert thermal.steady_c(PI_8GB, 25.0, 0.0, 1.0) == pytest.approx(45.0 + 0.3 * 16.0)
    assert thermal.steady_c(PI_8GB, 25.0, 1.0, 1.0) == 61.0


def test_heat_needs_150_seconds_for_most_of_the_way() -> None:
    """First order: after one time constant 63 % of the difference is gone."""
    assert thermal.step_c(45.0, 61.0, 150.0) == pytest.approx(61.0 - 16.0 * exp(-1))


@given(TEMPERATURES, TEMPERATURES, st.floats(0, 1000), st.floats(0, 1000))
def test_two_steps_are_one_longer_step(
    start_c: float, target_c: float, first_s: float, second_s: float
) -> None:
    """The result does not depend on how often the clock ticks."""
    twice = thermal.step_c(thermal.step_c(start_c, target_c, first_s), target_c, second_s)

    assert twice == pytest.approx(thermal.step_c(start_c, target_c, first_s + second_s), abs=1e-6)


def test_an_8b_model_fits_an_8gb_board_but_not_a_4gb_board() -> None:
    """Weights, KV cache at 4096 tokens and buffers, beside the system."""
    resident = model("llama3.1:8b").resident_bytes(4096, 1)

    assert memory.fits(PI_8GB, resident)
    assert not memory.fits(board("pi-4gb"), resident)


def test_the_kv_cache_is_the_published_one() -> None:
    """llama3.2:1b holds 128 MiB at 4096 tokens, twice that with two slots."""
    spec = model("llama3.2:1b")

    assert spec.kv_bytes(4096, 1) == 128 * 1024**2
    assert spec.kv_bytes(4096, 2) == 256 * 1024**2


def test_the_page_cache_forgets_what_was_read_longest_ago() -> None:
    """A file that is read again moves to the end of the queue."""
    cache = PageCache()
    for name in ("a", "b", "a", "c"):
        cache = cache.after_read(name, 4, room_bytes=8)

    assert [cache.holds(name) for name in "abc"] == [True, False, True]


def test_a_file_larger_than_the_room_is_not_kept() -> None:
    """Reading it also pushed everything else out."""
    cache = PageCache((("a", 4),)).after_read("big", 100, room_bytes=8)

    assert cache.files == ()


def test_meminfo_counts_the_page_cache_as_available() -> None:
    """The kernel's arithmetic, in kB."""
    text = memory.meminfo(PI_8GB, used=2 * 1024**3, cached=1024**3)
    rows = {key: int(value.split()[0]) for key, value in (r.split(":") for r in text.splitlines())}

    assert rows["MemTotal"] == PI_8GB.ram_bytes // 1024
    assert rows["MemAvailable"] == (PI_8GB.ram_bytes - 2 * 1024**3) // 1024
    assert rows["MemFree"] + rows["Cached"] == pytest.approx(rows["MemAvailable"], abs=1)


def test_boards_and_models_are_found_by_name() -> None:
    """An unknown name is answered with the known ones; any size can be made up."""
    assert full_name("a/b") == "a/b:latest"
    assert model("own:1b=1.3").size_bytes == 1_300_000_000
    assert model("smollm2:135m").digest == model("smollm2:135m").digest
    with pytest.raises(ValueError, match="pi-16gb"):
        board("pi-1tb")
    with pytest.raises(ValueError, match="smollm2:135m"):
        model("unheard-of")
    assert {"pi-16gb", "pi-8gb", "pi-4gb", "zero"} <= set(CATALOGUE)
