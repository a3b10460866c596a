"""How much an answer may hold."""

from __future__ import annotations

import pytest

from orion_agent import outbox
from orion_agent.outbox import Outbox


@pytest.mark.parametrize("field", ["content", "thinking"])
@pytest.mark.parametrize(("token", "fits"), [("a", 12), ("é", 6), ("語", 4), ("\ud800", 4)])
def test_an_answer_is_measured_in_bytes(
    monkeypatch: pytest.MonkeyPatch, field: str, token: str, fits: int
) -> None:
    """As the store holds it: three for a sign of Chinese, and half a pair counts, too."""
    monkeypatch.setattr(outbox, "MAX_ANSWER_BYTES", 12)
    box = Outbox("id", 1, "test", stream=False)
    for _ in range(fits):
        box.add({field: token})
    assert not box.full

    box.add({field: token})
    assert box.full
