"""`orion drain`: no new work for a board, until it is taken back."""

from __future__ import annotations

from typing import cast

import redis

from orion_cli import storage
from orion_cli.calling import as_called
from orion_cli.problem import USAGE, Problem
from orion_cli.state import StoreAddress
from orion_cli.terminal import console
from orion_contracts import keys
from orion_contracts.stamp import iso_now


def run(node: str, where: StoreAddress, undo: bool) -> int:
    """Set or remove the mark; the planner reads it before every dispatch."""
    with storage.opened(where) as store:
        known = sorted(n.decode() for n in cast(set[bytes], store.smembers(keys.NODES)))
        if node not in known:
            raise Problem(
                f"no board is called {node}", f"known: {', '.join(known) or 'none'}", USAGE
            )
        if undo:
            removed = bool(store.delete(keys.drain(node)))
            text = f"{node} takes work again" if removed else f"{node} was not draining"
        else:
            store.set(keys.drain(node), iso_now())
            held = store.scard(keys.inflight(node))
            text = f"{node} gets no new work; in progress: {held}. " + as_called(
                f"Back: orion drain {node} --undo"
            )
            if not any(_serves(store, each) for each in known if each != node):
                text += "\nNo board is left that takes work: requests wait until one is back"
        status = "undrain" if undo else "drain"
        store.xadd(
            keys.EVENTS, {"kind": "node", "id": "", "node": node, "status": status}, maxlen=1000
        )
    console().print(text, soft_wrap=True)
    return 0


def _serves(store: redis.Redis, node: str) -> bool:
    return bool(store.exists(keys.alive(node))) and not store.exists(keys.drain(node))
