"""What the inbox says while the store is away."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import pytest
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as StoreConnectionError

from orion_agent import inbox
from orion_agent.inbox import Inbox
from orion_agent.slots import Slots
from orion_contracts.sizes import Limits


class Away:
    """A store that fails in turn as told, then for ever as at the end."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.asked = list(errors), asyncio.Event()
        self.left = 20

    async def execute_command(self, *_: Any, **__: Any) -> Any:
        """Any read."""
        self.left -= 1
        if not self.left:
            self.asked.set()
        raise self.errors.pop(0) if len(self.errors) > 1 else self.errors[0]

    xreadgroup = execute_command


async def test_a_store_that_is_away_is_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty attempts, one line for each kind of error, not one for each attempt: a log that
    repeats itself wears out an SD card."""
    monkeypatch.setattr(inbox, "PAUSE_S", 0.0)
    refused = AuthenticationError("WRONGPASS")
    store = Away(StoreConnectionError("refused"), StoreConnectionError("refused"), refused)
    anything: Any = None
    mine = Inbox(cast(Any, store), anything, "pi", Slots(1), anything, anything, Limits())
    with caplog.at_level(logging.INFO):
        reading = asyncio.create_task(mine.run())
        await asyncio.wait_for(store.asked.wait(), 10)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    said = [record.getMessage() for record in caplog.records if "lost" in record.getMessage()]
    assert said == [
        "the connection to the store was lost: refused",
        "the connection to the store was lost: WRONGPASS",
    ]
