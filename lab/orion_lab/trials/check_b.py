"""(b) The router is killed with 20 requests in flight, then started again."""

from __future__ import annotations

import asyncio
import threading
import time

import httpx

from orion_contracts import keys
from orion_lab.stack import Stack
from orion_lab.trials import producer
from orion_lab.trials.chatting import Chat, Chatters, tally
from orion_lab.trials.row import MODEL, Row, rig, set_faults, wait_inside
from orion_lab.trials.until import until
from orion_lab.trials.warm import warm

IN_FLIGHT = 20


def rows() -> list[Row]:
    """Half of the clients repeat their POST with the same key, half ask by the request's id."""
    with rig(slots=8) as stack:
        warm(stack, MODEL)
        set_faults(stack, token_delay_ms=100)
        chats = [Chat(f"precious {n}", tokens=40, key=f"key-{n}") for n in range(IN_FLIGHT)]
        chatters = Chatters(stack.url, chats)
        thread = threading.Thread(target=lambda: asyncio.run(chatters.run()), name="clients")
        thread.start()
        wait_inside(stack, IN_FLIGHT)
        stack.wait_until(lambda: min(s.pieces for s in chatters.seen) >= 3, "3 tokens each")
        stack.kill("router-0")
        began_s = time.monotonic()
        thread.join(30)
        broken = tally(chatters.seen)
        ids = [each.request_id for each in chatters.seen]
        stack.restart("router-0")
        until(lambda: _ready(stack), 30, "the router is ready again")
        ready_s = time.monotonic() - began_s
        again = Chatters(stack.url, chats[: IN_FLIGHT // 2])
        asyncio.run(again.run())
        repeated = sum(each.ok for each in again.seen)
        asked = sum(_answer_by_id(stack, each) for each in ids[IN_FLIGHT // 2 :])
        finals, runs = _finals(stack, ids)
    same_ids = [each.request_id for each in again.seen] == ids[: IN_FLIGHT // 2]
    return [
        Row(
            "(b) router killed, 20 in flight: finished after the restart",
            f"{finals} of {IN_FLIGHT} finals, {IN_FLIGHT - finals} lost; "
            f"{runs} ran more than once; clients saw: {broken}",
            "20 finals, 0 lost",
            finals == IN_FLIGHT,
            "b lost",
        ),
        Row(
            "(b) clients that come back get their answer",
            f"{repeated} of 10 by repeating the POST, {asked} of 10 by GET /v1/requests/ID",
            "20 of 20",
            repeated + asked == IN_FLIGHT and same_ids,
            "b lost",
        ),
        Row("(b) serving again after", f"{ready_s:.1f} s", "(no target)", True, "b ready"),
    ]


def _ready(stack: Stack) -> bool:
    try:
        return stack.http.get(f"{stack.url}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def _answer_by_id(stack: Stack, request_id: str) -> bool:
    def finished() -> bool:
        reply = stack.http.get(f"{stack.url}/v1/requests/{request_id}")
        found.update(reply.json() if reply.status_code == 200 else {})
        return str(found.get("state", "")).upper() == "COMPLETED"

    found: dict[str, object] = {}
    try:
        until(finished, 20, "the request is completed", pause_s=0.1)
    except TimeoutError:
        return False
    return bool(found.get("final") or found.get("response"))


def _finals(stack: Stack, ids: list[str]) -> tuple[int, int]:
    """How many requests have exactly one final, completed; how many ran again."""
    good = again = 0
    with stack.client() as client:
        for request_id in ids:
            finals = producer.finals(client, keys.responses(request_id))
            good += len(finals) == 1 and finals[0].get("status") == "completed"
            again += any(final.get("attempt", 1) > 1 for final in finals)
    return good, again
