"""Ollama's times: keep-alive values and stamps."""

from math import inf

import pytest

from orion_lab.durations import expiry_stamp, go_duration_s, keep_alive_s, stamp


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (0, 0.0),
        (300, 300.0),
        (1.5, 1.5),
        (-1, inf),
        ("0", 0.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("250ms", 0.25),
        ("-1m", inf),
        ("+2s", 2.0),
    ],
)
def test_keep_alive_is_seconds_or_a_go_duration(value: object, seconds: float | None) -> None:
    """Numbers are seconds, strings have units, anything negative is forever."""
    assert keep_alive_s(value) == (pytest.approx(seconds) if seconds is not None else None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("300", 'time: missing unit in duration "300"'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
        ("abc", 'time: invalid duration "abc"'),
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        ("1s!", 'time: unknown unit "s!" in duration "1s!"'),
    ],
)
def test_bad_durations_get_gos_words(text: str, words: str) -> None:
    """Clients see them."""
    with pytest.raises(ValueError, match="time") as raised:
        go_duration_s(text)

    assert str(raised.value) == words


@pytest.mark.parametrize("value", [True, [], {}])
def test_other_types_are_unsupported(value: object) -> None:
    """Truth values are not numbers."""
    with pytest.raises(ValueError, match="Unsupported type"):
        keep_alive_s(value)


def test_stamps_have_nanoseconds() -> None:
    """Also across a change of the second."""
    assert stamp(1_767_225_600_000_000_007) == "2026-01-01T00:00:00.000000007Z"
    assert stamp(1_767_225_601_900_000_000) == "2026-01-01T00:00:01.900000000Z"


def test_forever_ends_three_centuries_from_now() -> None:
    """Go's largest duration."""
    assert expiry_stamp(1_767_225_600.0, inf).startswith("2318-")
    assert expiry_stamp(1_767_225_600.0, 1.5) == "2026-01-01T00:00:01.500000000Z"
