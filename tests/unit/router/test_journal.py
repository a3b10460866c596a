"""What the planner remembers of its decisions."""

from __future__ import annotations

from orion_router.journal import MOST, Journal
from orion_router.policy import Candidate, Decision


def test_the_newest_decision_comes_first_and_old_ones_leave() -> None:
    """A bounded memory: of 300 decisions the last 256, each with its time."""
    moments = iter(range(300))
    journal = Journal(clock_s=lambda: float(next(moments)))
    for number in range(300):
        journal.note(Decision(f"r{number}", "assign", "a"))

    assert [(n.at_s, n.decision.request_id) for n in journal.recent(2)] == [
        (299.0, "r299"), (298.0, "r298"),
    ]  # fmt: skip
    assert len(journal.recent(1000)) == MOST


def test_the_decisions_of_one_request_are_found() -> None:
    """A request that was given to two boards, one after the other."""
    journal = Journal()
    for request_id, node in (("r1", "a"), ("r2", "a"), ("r1", "b")):
        journal.note(Decision(request_id, "assign", node))

    assert [n.decision.node for n in journal.recent(10, "r1")] == ["b", "a"]
    assert journal.recent(10, "r3") == []


def test_boards_that_were_passed_over_are_counted_by_their_word() -> None:
    """The board that could take it is not among them."""
    journal = Journal()
    looked = (Candidate("a"), Candidate("b", "hot"), Candidate("c", "full"))
    journal.note(Decision("r1", "assign", "a", candidates=looked))
    journal.note(Decision("r2", "assign", "a", candidates=looked[:2]))

    assert journal.passed == {"hot": 2, "full": 1}
