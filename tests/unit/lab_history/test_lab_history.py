"""The history checker: it finds each kind of broken promise, and nothing in a kept one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_lab.history import Asked, Entry, Heard, History, in_order, judge

REPLY = "robot:answers"
OWN = "orion:inference:responses:{}"


def asked(name: str, *, acknowledged: bool = True, streamed: bool = False) -> Asked:
    """A request whose client waits on a stream of its own."""
    return Asked(name, REPLY, acknowledged, streamed)


def final(name: str, number: int = 1, **changes: object) -> Entry:
    """A completed final on the client's stream."""
    entry = Entry(REPLY, f"{number}-0", name, "final", 1, text="Hello", status="completed")
    return entry._replace(**changes)  # type: ignore[arg-type]


def chunk(name: str, attempt: int, seq: int, text: str) -> Entry:
    """A chunk on the client's stream."""
    return Entry(REPLY, f"{attempt}-{seq}", name, "chunk", attempt, seq, text)


def test_a_kept_promise_passes() -> None:
    """One final each, seen live and at the end, also as a copy in the stream we name: no reason."""
    copy = final("a", stream=OWN.format("a"), entry_id="1-999999999")
    seen = [final("a"), copy, final("b", 2)]

    verdict = judge(History([asked("a"), asked("b")], seen, seen))

    assert verdict.reasons == ()
    assert (
        verdict.attempted,
        verdict.acknowledged,
        verdict.completed,
        verdict.completed_share,
    ) == (2, 2, 2, 1.0)


def test_lost_is_acknowledged_without_a_final() -> None:
    """Acknowledged and never answered is lost; never acknowledged and never answered is not."""
    verdict = judge(History([asked("a"), asked("b", acknowledged=False)]))

    assert verdict.lost == ("a",)
    assert not verdict.ok


def test_two_finals_on_one_stream_are_a_duplicate() -> None:
    """Two entries are two answers, whatever they say."""
    seen = [final("a", 1), final("a", 2)]

    verdict = judge(History([asked("a")], end=seen))

    assert verdict.duplicated == ("a",)
    assert verdict.reasons[0] == "1 duplicated: a"


def test_a_duplicate_seen_only_live_still_counts() -> None:
    """The observer's memory outlives the store's: a final that vanished and came again is found."""
    verdict = judge(History([asked("a")], live=[final("a", 1), final("a", 2)], end=[final("a", 2)]))

    assert (verdict.duplicated, verdict.vanished) == (("a",), ("a",))


def test_an_answer_that_nobody_asked_for_is_unexpected() -> None:
    """A final for an unknown id is counted, not ignored."""
    verdict = judge(History([asked("a")], end=[final("a"), final("ghost", 2)]))

    assert verdict.unexpected == ("ghost",)


def test_an_answer_without_acknowledgement_is_recovered() -> None:
    """The outcome was unknown to the client: legal, and counted apart."""
    verdict = judge(History([asked("a", acknowledged=False)], end=[final("a")]))

    assert verdict.recovered == ("a",)
    assert verdict.ok


def test_an_answer_in_the_wrong_place_is_lost_and_torn() -> None:
    """A client that waits on its own stream has no answer when only our copy exists."""
    verdict = judge(History([asked("a")], end=[final("a", stream=OWN.format("a"))]))

    assert (verdict.lost, verdict.torn) == (("a",), ("a",))


def test_copies_that_differ_are_torn() -> None:
    """The two copies of one final say the same."""
    copy = final("a", stream=OWN.format("a"), text="Goodbye")

    verdict = judge(History([asked("a")], end=[final("a"), copy]))

    assert verdict.torn == ("a",)


def test_failed_answers_lower_the_completed_share() -> None:
    """Failed is answered, not lost; too many of them fail the run all the same."""
    requests = [asked(str(n)) for n in range(100)]
    seen = [final(str(n), n) for n in range(99)] + [final("99", 99, status="failed")]

    verdict = judge(History(requests, end=seen))

    assert (verdict.lost, verdict.completed_share) == ((), 0.99)
    assert verdict.reasons == ("completed share 99.00% < 99.90% (99 completed, 1 failed)",)


def test_a_client_that_put_another_text_together_is_misheard() -> None:
    """The gateway resumes a broken stream without a seam: what was read is the final's text."""
    heard = [Heard("a", "Hello"), Heard("b", "HeHello")]
    seen = [final("a"), final("b", 2)]

    assert judge(History([asked("a"), asked("b")], end=seen, heard=heard)).misheard == ("b",)


def test_an_empty_run_shows_nothing() -> None:
    """A run that never asked anything must not pass."""
    assert not judge(History([])).ok


def test_a_rerun_with_the_text_of_its_own_attempt_is_in_order() -> None:
    """The first attempt broke off, the second began anew: the final is the second one's text."""
    seen = [
        chunk("a", 1, 1, "He"),
        chunk("a", 1, 2, "ll"),
        chunk("a", 2, 1, "Hel"),
        chunk("a", 2, 2, "lo"),
        final("a", 9, attempt=2),
    ]

    verdict = judge(History([asked("a", streamed=True)], end=seen))

    assert (verdict.reasons, verdict.reruns, verdict.chunks) == ((), 1, 4)


def test_a_final_with_another_text_than_its_chunks_is_disordered() -> None:
    """A final that mixes two attempts is found."""
    seen = [
        chunk("a", 1, 1, "He"),
        chunk("a", 2, 1, "llo"),
        final("a", 9, attempt=2),
    ]

    assert judge(History([asked("a", streamed=True)], end=seen)).disordered == ("a",)


CHUNKS = [chunk("a", 1, 1, "He"), chunk("a", 1, 2, "ll"), chunk("a", 1, 3, "o"), final("a", 9)]


@pytest.mark.parametrize(
    "order",
    [(1, 0, 2, 3), (0, 2, 3), (0, 0, 1, 2, 3), (1, 2, 3), (0, 1, 3, 2)],
    ids=["swapped", "gap", "repeated", "headless", "after the final"],
)
def test_wrong_orders_are_seen(order: tuple[int, ...]) -> None:
    """Chunks swapped, missing, repeated or late."""
    assert in_order(CHUNKS)
    assert not in_order([CHUNKS[at] for at in order])


def test_a_zombies_chunk_is_seen() -> None:
    """A chunk of an older attempt after one of a newer is a mixed answer."""
    assert not in_order([chunk("a", 2, 1, "He"), chunk("a", 1, 1, "He")])


@given(st.lists(st.sampled_from(["answered", "silent", "twice", "unknown"]), min_size=1))
def test_the_counts_add_up(fates: list[str]) -> None:
    """Whatever happens to each request, every one of them is in the right count."""
    requests = [asked(str(n), acknowledged=fate != "unknown") for n, fate in enumerate(fates)]
    seen: list[Entry] = []
    for number, fate in enumerate(fates):
        if fate != "silent":
            seen.append(final(str(number), 2 * number))
        if fate == "twice":
            seen.append(final(str(number), 2 * number + 1))

    verdict = judge(History(requests, live=seen, end=seen))

    assert fates.count("silent") == len(verdict.lost)
    assert fates.count("twice") == len(verdict.duplicated)
    assert fates.count("unknown") == len(verdict.recovered)
    assert len(fates) == verdict.answered + len(verdict.lost)
    assert verdict.ok == (not {"silent", "twice"} & set(fates))
    assert replace(verdict, least_completed=0.0).ok == verdict.ok
