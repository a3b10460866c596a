"""An entry of the planners' doorbell as one value (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from orion_contracts.facts import Facts


class Bell(NamedTuple):
    """What happened (`kind`: queued, assigned, done, node), to which request, on which board."""

    kind: str
    request_id: str = ""
    node: str = ""
    status: str = ""
    facts: Facts | None = None
    """What a finished run measured, where its worker told it."""

    @classmethod
    def read(cls, fields: Mapping[bytes, bytes]) -> Bell:
        """From the entry's fields. Outsiders may add entries: strange ones give strange words,
        which no planner knows."""
        kind, request_id, node, status = (
            fields.get(name, b"").decode(errors="replace")
            for name in (b"kind", b"id", b"node", b"status")
        )
        return cls(kind, request_id, node, status, Facts.from_bytes(fields.get(b"facts", b"")))
