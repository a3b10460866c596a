"""The planners' doorbell: an entry's fields become one value."""

from __future__ import annotations

from orion_contracts.facts import Facts
from orion_router.bell import Bell


def test_a_bell_is_read_as_one_value() -> None:
    """Kind, id, board, status and facts of one entry; what is missing is empty."""
    fields = {b"kind": b"done", b"id": b"i", b"node": b"pi-a", b"status": b"COMPLETED"}
    facts = Facts(model="m", output_tokens=7, output_s=3.5)

    assert Bell.read(fields) == Bell("done", "i", "pi-a", "COMPLETED")
    assert Bell.read({**fields, b"facts": facts.to_bytes()}).facts == facts


def test_a_strange_bell_is_no_fault() -> None:
    """Outsiders may write to the doorbell: no entry raises, and none is taken for facts."""
    assert Bell.read({b"kind": b"\xff", b"facts": b"{"}) == Bell("\N{REPLACEMENT CHARACTER}")
    assert Bell.read({}) == Bell("")
