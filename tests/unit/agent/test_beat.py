"""The thread that beats outlives whatever the store says."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from orion_agent import beat as module
from orion_agent.beat import Beat

WITHIN_S = 5.0


class Store:
    """Answers beats with what the test says; an exception is raised."""

    def __init__(self, said: Callable[[int], Any]) -> None:
        self.said, self.beats = said, 0

    def close(self) -> None:
        """Nothing to close."""

    def execute_command(self, *_: Any) -> Any:
        """The next answer."""
        self.beats += 1
        answer = self.said(self.beats)
        if isinstance(answer, Exception):
            raise answer
        return answer


def beating(
    said: Callable[[int], Any], taken_over: Callable[[str], None] = lambda holder: None
) -> Beat:
    """A beat on such a store."""
    store: Any = Store(said)
    return Beat(store, "n1", "life", lambda: False, taken_over)


def test_a_strange_holder_takes_the_board_over_all_the_same() -> None:
    """Its name may hold any bytes; the worker ends because of it, and does not go on silently."""
    told, heard = threading.Event(), list[str]()

    def taken_over(holder: str) -> None:
        heard.append(holder)
        told.set()

    beat = beating(lambda n: b"\xff\xfe", taken_over)
    beat.start()
    assert told.wait(WITHIN_S)
    beat.join(WITHIN_S)
    assert heard == ["\ufffd\ufffd"]


def test_an_unexpected_error_does_not_end_the_thread(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, once while it stays the same, and the next beat comes."""
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    fine = threading.Event()

    def said(n: int) -> Any:
        if n <= 3:
            return ValueError("what is this?")
        fine.set()
        return b"OK"

    beat = beating(said)
    with caplog.at_level(logging.ERROR, "orion.worker.beat"):
        beat.start()
        assert fine.wait(WITHIN_S)
        beat.stop()
        beat.join(WITHIN_S)
    assert [r.message for r in caplog.records] == ["the beat failed; it goes on"]


def test_a_takeover_that_could_not_be_told_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the process would go on without beats."""
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    tries, told = list[str](), threading.Event()

    def taken_over(holder: str) -> None:
        tries.append(holder)
        if len(tries) == 1:
            raise RuntimeError("the loop is busy")
        told.set()

    beat = beating(lambda n: b"other", taken_over)
    beat.start()
    assert told.wait(WITHIN_S)
    beat.join(WITHIN_S)
    assert tries == ["other", "other"]
