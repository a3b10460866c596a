"""Reading what the store holds under our names, whoever wrote it (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orion_contracts.ledger import is_lasting
from orion_contracts.limits import is_node_name
from orion_contracts.spelling import text


def board_names(found: Iterable[bytes]) -> list[str]:
    """The names in order. What cannot name a board is left out: no worker has such a name."""
    return sorted(name for name in map(text, found) if is_node_name(name))


def known(reply: Any) -> Any:
    """A pipeline's reply; None for a key of another type. Raises the store's own troubles."""
    if not isinstance(reply, Exception):
        return reply
    if not is_lasting(reply):
        raise reply
    return None


def members(reply: Any) -> list[str]:
    """The members of a set, or of a range."""
    return [text(member) for member in known(reply) or ()]
