"""(d) Boards that do one thing at a time (0.2 s each) get 30 requests at once."""

from __future__ import annotations

import asyncio
import time

from orion_lab.trials.chatting import Chat, Chatters, tally
from orion_lab.trials.row import MODEL, Row, rig, set_faults
from orion_lab.trials.warm import warm

ASKED, TOKENS, SERVICE_S, LONGEST_S = 30, 4, 0.2, 2.3


def rows() -> list[Row]:
    """Most requests inside each board at one time, and the seconds until the last answer."""
    with rig(slots=1) as stack:
        warm(stack, MODEL)
        set_faults(stack, token_delay_ms=SERVICE_S / TOKENS * 1000)
        chatters = Chatters(stack.url, [Chat(f"one {n}", tokens=TOKENS) for n in range(ASKED)])
        began_s = time.monotonic()
        seen = asyncio.run(chatters.run())
        took_s = time.monotonic() - began_s
        most = [int(board.stats()["max_inside"]) for board in stack.boards.values()]
        served = [int(board.stats()["finished"]) for board in stack.boards.values()]
    return [
        Row("(d) most inside each board at one time",
            f"{' / '.join(map(str, most))}; {tally(seen)}; served {' / '.join(map(str, served))}",
            "1 / 1 / 1", max(most) <= 1 and all(each.ok for each in seen), "d inside"),
        Row("(d) seconds for 30 (2.0 ideal)", f"{took_s:.2f} s", f"{LONGEST_S} s",
            took_s <= LONGEST_S, "d seconds"),
    ]  # fmt: skip
