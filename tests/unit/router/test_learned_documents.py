"""Which of what the planner learned is kept in the store."""

from __future__ import annotations

from orion_router.learned_documents import documents
from orion_router.learning.learner import Learner


def test_all_that_a_restart_should_not_forget_is_kept() -> None:
    """Lengths, how conversations go on, and per board rates and rooms; and each is taken back."""
    first, again = Learner(), Learner()
    first.outputs.learn("m1:latest", "interactive", 40)
    first.returns.answered("interactive", [("x0", 10)], 0.0, 5.0)
    first.returns.answered("interactive", [("x0", 10), ("x1", 20)], 25.0, 30.0)
    kept = documents(first, ["a"])

    assert set(kept) == {"outputs", "returns", "rates:a", "prompts:a"}
    for name, document in documents(again, ["a"]).items():
        document.load(kept[name].dump())
    assert again.outputs.dump() == first.outputs.dump()
    assert again.returns.dump() == first.returns.dump()
    assert again.returns.pause_s != Learner().returns.pause_s
