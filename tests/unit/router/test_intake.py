"""The intake outlives whatever an entry holds."""

from __future__ import annotations

from typing import Any, cast

import pytest

from orion_contracts.entries import read_cancel
from orion_contracts.entry_kinds import Direct, kind_of
from orion_contracts.limits import DEFAULT_LIMITS
from orion_router import intake
from orion_router.intake import Intake

UUID = b"123e4567-e89b-12d3-a456-426614174000"


class Recorder:
    """A ledger that notes what it was asked to refuse."""

    def __init__(self) -> None:
        self.refused: list[tuple[Any, ...]] = []

    async def refuse(self, *args: Any) -> None:
        """Note it."""
        self.refused.append(args)


async def test_a_fault_of_ours_costs_one_entry_not_the_router(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An entry that brings out a fault is buried and settled; nothing is raised."""

    def broken(*_: Any) -> Any:
        raise RecursionError("deep")

    monkeypatch.setattr(intake, "read_entry", broken)
    ledger = Recorder()
    none = cast(Any, None)
    reader = Intake(none, cast(Any, ledger), "router-0", none, none, DEFAULT_LIMITS, none)

    await reader.handle(b"1-1", {b"payload": b"{}"}, "orion:inference:requests", "router")

    source, *_, why, _ = ledger.refused[0]
    assert source.entry == "1-1"
    assert "could not read" in why
    assert reader.refused == 1


BAD_CANCELS: dict[str, dict[bytes, bytes]] = {
    "no id": {b"type": b"cancel"},
    "an empty id": {b"type": b"cancel", b"request_id": b""},
    "no UUID": {b"type": b"cancel", b"request_id": b"the last one"},
    "bytes": {b"type": b"cancel", b"request_id": b"\xff\xfe"},
    "a UUID and more": {b"type": b"cancel", b"request_id": UUID + b" "},
    "another field": {b"type": b"cancel", b"id": UUID},
}


@pytest.mark.parametrize("fields", BAD_CANCELS.values(), ids=BAD_CANCELS.keys())
async def test_a_cancel_of_nothing_is_buried(fields: dict[bytes, bytes]) -> None:
    """Its producer can find out why nothing was cancelled."""
    ledger = Recorder()
    none = cast(Any, None)
    reader = Intake(none, cast(Any, ledger), "router-0", none, none, DEFAULT_LIMITS, none)

    await reader.handle(b"1-1", fields, "orion:inference:requests", "router")

    source, request_id, callback, _, why, sample = ledger.refused[0]
    assert (source.entry, request_id, callback) == ("1-1", "", "")
    assert "a cancel needs a field request_id" in why
    assert sample.startswith(b"type=cancel")


def test_a_cancel_names_a_request() -> None:
    """By its UUID."""
    assert read_cancel({b"type": b"cancel", b"request_id": UUID}) == UUID.decode()


@pytest.mark.parametrize("name", [b"payload", b"data"])
def test_an_entry_with_a_request_in_it_is_a_request(name: bytes) -> None:
    """Whatever stray fields stand beside it: no cancel, and no doorbell."""
    fields = {b"type": b"cancel", b"request_id": UUID, b"id": UUID, b"token": b"1:a", name: b"{}"}

    assert read_cancel(fields) is None
    assert kind_of(fields) == Direct(b"{}")
