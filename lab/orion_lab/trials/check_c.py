"""(c) One board's Ollama answers 503 "server busy"; then all three do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from orion_lab.testing import BoardProcess
from orion_lab.trials.chatting import Chat, Chatters, tally
from orion_lab.trials.row import BOARDS, MODEL, Row, rig, set_faults
from orion_lab.trials.warm import warm

ASKED, PER_S = 30, 10.0


def rows() -> list[Row]:
    """30 requests at 10/s, one board refusing; 6 s later one request, all three refusing."""
    with rig() as stack:
        warm(stack, MODEL)
        stack.boards[BOARDS[0]].set_fault(status=503)
        chats = [Chat(f"busy {n}", after_s=n / PER_S) for n in range(ASKED)]
        some = asyncio.run(Chatters(stack.url, chats).run())
        refused = int(stack.boards[BOARDS[0]].stats()["rejected"])
        time.sleep(6.0)  # as the peers' run did
        before = _rejected(stack.boards.values())
        set_faults(stack, status=503)
        (last,) = asyncio.run(Chatters(stack.url, [Chat("all busy")]).run())
        tries = _rejected(stack.boards.values()) - before
    return [
        Row("(c) one board answers 503: clients", tally(some), "30 ok",
            all(each.ok for each in some), "c one"),
        Row("(c) 503s drawn from that board", str(refused), "fewer than 30", refused < ASKED,
            "c attempts"),
        Row("(c) all three answer 503: one request",
            f"HTTP {last.status} after {tries} tries in {last.took_s:.1f} s",
            "HTTP 503", last.status == 503, "c all"),
    ]  # fmt: skip


def _rejected(boards: Iterable[BoardProcess]) -> int:
    return sum(int(board.stats()["rejected"]) for board in boards)
