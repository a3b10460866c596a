"""(e) Two models, one resident per board, 3 s to load, 60 requests at one a second."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterable
from random import Random

from orion_lab.testing import BoardProcess
from orion_lab.trials.chatting import Chat, Chatters, tally
from orion_lab.trials.row import Row, rig, set_faults

ASKED, MODELS, LOAD_S, SEED = 60, ("m1", "m2"), 3.0, 7
MOST_PER_100 = 5.0


def rows() -> list[Row]:
    """Random order, seed 7: cold loads per 100, latencies, and whose model answered."""
    random = Random(SEED)
    order = [random.choice(MODELS) for _ in range(ASKED)]
    flags = ["--models", "m1=0.5,m2=0.5", "--max-loaded", "1"]
    with rig(board_flags=flags) as stack:
        set_faults(stack, load_delay_s=LOAD_S, token_delay_ms=3.0)
        # As in the peers' run: the readiness probe had loaded m1 on a board.
        asyncio.run(Chatters(stack.url, [Chat("ready?", "m1")]).run())
        before = _cold(stack.boards.values())
        chats = [Chat(f"{m} {n}", m, after_s=float(n)) for n, m in enumerate(order)]
        seen = asyncio.run(Chatters(stack.url, chats).run())
        loads = _cold(stack.boards.values()) - before
    took = sorted(each.took_s for each in seen)
    p95_s = took[int(0.95 * len(took))]
    per_100 = 100 * loads / ASKED
    return [
        Row("(e) cold loads per 100, random order",
            f"{per_100:.1f} ({loads} in {ASKED}); {tally(seen)}", f"{MOST_PER_100:g}",
            per_100 <= MOST_PER_100 and all(each.ok for each in seen), "e cold loads"),
        Row("(e) median / p95 latency", f"{statistics.median(took):.2f} / {p95_s:.2f} s",
            "(no target)", True, "e latency"),
    ]  # fmt: skip


def _cold(boards: Iterable[BoardProcess]) -> int:
    return sum(int(board.stats()["cold_loads"]) for board in boards)
