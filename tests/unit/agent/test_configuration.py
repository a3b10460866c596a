"""Which configuration is in force on a board."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest

from orion_agent.configuration import InForce
from orion_contracts.config import DEFAULT_CONFIG
from orion_contracts.stamp import VERSION, iso_now


def raw(**fields: Any) -> bytes:
    """A configuration of the first generation, as the store has it."""
    stamped = {"version": VERSION, "generation": 1, "timestamp": iso_now(), "source": "test"}
    return orjson.dumps({**stamped, **fields})


def test_the_last_valid_one_is_in_force(caplog: pytest.LogCaptureFixture) -> None:
    """One that is broken is said once and changes nothing; without any, the defaults."""
    held = InForce()
    assert (held.config, held.seen) == (DEFAULT_CONFIG, False)

    held.read(raw(models=[{"name": "m1"}]))
    assert ([m.name for m in held.config.models], held.seen) == (["m1"], True)

    for broken in (b"{", b"{", raw(models="m2")):
        held.read(broken)
        assert ([m.name for m in held.config.models], held.seen) == (["m1"], True)
    assert [r.levelno for r in caplog.records] == [logging.ERROR, logging.ERROR]

    held.read(None)
    assert (held.config, held.seen) == (DEFAULT_CONFIG, False)
