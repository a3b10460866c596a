"""(a) The busiest board is killed with 12 requests in flight, then 30 new requests come."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from orion_lab.stack import Stack
from orion_lab.trials.chatting import Chat, Chatters, Seen, tally
from orion_lab.trials.row import MODEL, Row, inside, rig, set_faults, wait_inside
from orion_lab.trials.warm import warm

IN_FLIGHT, AFTERWARDS = 12, 30


def rows() -> list[Row]:
    """Killed mid-stream and before any token; only the engine, or the board with its worker."""
    found: list[Row] = []
    for what, whole_board in (("engine", False), ("board", True)):
        found += _killed(f"{what} killed mid-stream", whole_board, tokens=40, delay_ms=60)
        found += _killed(f"{what} killed before a token", whole_board, tokens=2, delay_ms=2500)
    return found


def _killed(name: str, whole_board: bool, *, tokens: int, delay_ms: int) -> list[Row]:
    mid_stream = tokens > 2
    with rig() as stack:
        warm(stack, MODEL)
        set_faults(stack, token_delay_ms=delay_ms)
        chats = [Chat(f"{name} {n}", tokens=tokens) for n in range(IN_FLIGHT)]
        chatters = Chatters(stack.url, chats)
        thread = threading.Thread(target=lambda: asyncio.run(chatters.run()), name="clients")
        thread.start()
        wait_inside(stack, IN_FLIGHT)
        if mid_stream:
            stack.wait_until(lambda: min(s.pieces for s in chatters.seen) >= 12, "12 tokens each")
        victim, victims = _kill_busiest(stack, whole_board)
        set_faults_alive(stack, token_delay_ms=10)
        thread.join(60)
        hit = [each for each in chatters.seen if each.attempts != "1" or each.node == victim]
        later = Chatters(stack.url, [Chat(f"later {n}") for n in range(AFTERWARDS)])
        asyncio.run(later.run())
    kind = "a mid-stream" if mid_stream else "a no token"
    ours = f"{tally(chatters.seen)} of {IN_FLIGHT} ({victims} were on it)"
    longest_s = max(each.took_s for each in hit or chatters.seen)
    return [
        Row(
            f"(a) {name}: clients",
            f"{ours}; longest {longest_s:.1f} s",
            f"{IN_FLIGHT} ok",
            _all_ok(chatters.seen),
            kind,
        ),
        Row(
            f"(a) {name}: then 30 new requests",
            tally(later.seen),
            "30 ok",
            _all_ok(later.seen),
            "a afterwards",
        ),
    ]


def _kill_busiest(stack: Stack, whole_board: bool) -> tuple[str, int]:
    load = inside(stack)
    victim = max(load, key=lambda name: load[name])
    if whole_board:
        stack.kill(f"worker-{victim}")
    stack.kill(f"board-{victim}")
    return victim, load[victim]


def set_faults_alive(stack: Stack, **faults: Any) -> None:
    """The same faults on every board that runs."""
    for name, board in stack.boards.items():
        if stack.pid(f"board-{name}"):
            board.set_fault(**faults)


def _all_ok(seen: list[Seen]) -> bool:
    return all(each.ok for each in seen)
