"""The intake outlives whatever an entry holds."""

from __future__ import annotations

from typing import Any, cast

import pytest

from orion_contracts.limits import DEFAULT_LIMITS
from orion_router import intake
from orion_router.intake import Intake


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
    reader = Intake(none, cast(Any, ledger), "router-0", none, none, DEFAULT_LIMITS)

    await reader.handle(b"1-1", {b"payload": b"{}"}, "orion:inference:requests", "router")

    source, *_, why, _ = ledger.refused[0]
    assert source.entry == "1-1"
    assert "could not read" in why
    assert reader.refused == 1
