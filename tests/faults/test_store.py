"""The store dies, comes back, and its clock is stepped: nothing is lost and nobody is blamed."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any, cast

import pytest

from orion_contracts import keys
from orion_lab.stack import Stack
from orion_lab.trials import producer
from orion_lab.trials.chatting import Chat, Chatters
from orion_lab.trials.figure import figure
from orion_lab.trials.row import set_faults
from orion_lab.trials.until import until
from orion_lab.trials.warm import warm

pytestmark = [pytest.mark.faults, pytest.mark.needs("valkey9")]

KILLS = 30
LONG_S = float(os.environ.get("ORION_LONG_REQUEST_S", "60"))
TOKENS = 120
HOUR_S = 3600.0


def test_thirty_store_kills_during_one_long_stream() -> None:
    """A 60 s streamed answer survives 30 SIGKILLs of the store: complete, in one attempt, and the
    client sees one unbroken stream; crashes = 0."""
    with Stack(["pi-a:zero", "pi-b:zero"]) as stack:
        set_faults(stack, token_delay_ms=LONG_S * 1000 / TOKENS)
        chatters = Chatters(stack.url, [Chat("a long one", tokens=TOKENS)], timeout_s=LONG_S + 60)
        thread = threading.Thread(target=lambda: asyncio.run(chatters.run()))
        thread.start()
        until(lambda: chatters.seen[0].pieces > 0, 15, "the first token")
        began_s = time.monotonic()
        for number in range(KILLS):
            due_s = began_s + (LONG_S - 3) * (number + 1) / (KILLS + 1)
            time.sleep(max(0.0, due_s - time.monotonic()))
            stack.restart("store")
        thread.join(LONG_S + 60)
        (seen,) = chatters.seen
        with stack.client() as store:
            final = producer.wait_final(store, seen.request_id)
            record = producer.record(store, seen.request_id)
    figure(
        f"{KILLS} kills in {LONG_S:.0f} s: {final['status']}, attempt {final['attempt']}, "
        f"crashes {record['crashes']}, losses {record['losses']}, client took {seen.took_s:.1f} s "
        f"and saw {seen.pieces} pieces{f', broken: {seen.broken}' if seen.broken else ''}"
    )
    assert final["status"] == "completed"
    assert (record["crashes"], record["losses"]) == ("0", "0")
    assert seen.ok, seen
    assert seen.text == final["response"]


@pytest.mark.needs("faketime")
@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S, 72 * HOUR_S], ids=["+1h", "-1h", "+3d"])
def test_a_stepped_clock_closes_nothing(step_s: float) -> None:
    """The store comes back with another time while requests run and wait, each with a deadline:
    0 expired, 0 crashes, and new requests are served."""
    with Stack(["pi-a:zero", "pi-b:zero"]) as stack:
        warm(stack, producer.MODEL)  # two run at once, and none is answered before the step:
        set_faults(stack, token_delay_ms=400)  # an answer lives an hour, by the store's clock
        with stack.client() as store:
            old = [producer.add(store, tokens=8, deadline_ms=120_000) for _ in range(8)]
            until(
                lambda: sum(producer.state(store, r) == "RUNNING" for r in old) >= 2,
                15,
                "two running",
            )
            stack.kill("store")
        stack.store.restart(clock_offset_s=step_s)
        with stack.client() as store:
            new = [producer.add(store, tokens=4, deadline_ms=120_000) for _ in range(4)]
            ended = [producer.wait_final(store, r, 60) for r in (*old, *new)]
            records = [producer.record(store, r) for r in (*old, *new)]
    statuses = [final["status"] for final in ended]
    crashes = sum(int(each["crashes"]) for each in records)
    losses = sum(int(each["losses"]) for each in records)
    again = sum(int(each["attempt"]) > 1 for each in records)
    figure(
        f"clock {step_s / 3600:+.0f} h: {statuses.count('completed')} of {len(statuses)} completed,"
        f" {statuses.count('expired')} expired, crashes {crashes}, losses {losses}, "
        f"ran again {again}"
    )
    assert statuses == ["completed"] * 12
    assert crashes == 0


def test_a_clients_own_callback_stream_is_left_alone() -> None:
    """A client's stream with a consumer group keeps all that was in it, gets no time to live and
    no trimming, whatever happens to the store meanwhile."""
    stream, before = "robot:arm:answers", 3000
    with Stack(["pi-a:zero", "pi-b:zero"]) as stack:
        with stack.client() as store:
            for number in range(before):
                store.xadd(stream, {"type": "own", "payload": str(number)})
            store.xgroup_create(stream, "arm", id="0")
            ids = [producer.add(store, callback=stream) for _ in range(20)]
            stack.restart("store")
        with stack.client() as store:
            ids += [producer.add(store, callback=stream) for _ in range(20)]
            for request_id in ids:
                producer.wait_final(store, request_id)
            until(lambda: len(producer.finals(store, stream)) >= len(ids), 10, "all on the stream")
            answered = [final["request_id"] for final in producer.finals(store, stream)]
            ttl, length = store.pttl(stream), store.xlen(stream)
            groups = cast(Any, store.xinfo_groups(stream))
            read = cast(Any, store.xreadgroup("arm", "hand", {stream: ">"}, count=10_000))
            ours = store.pttl(keys.responses(ids[0]))
    figure(f"own stream: {length} entries (3000 + 40), ttl {ttl}, group {groups[0]['name']!r}")
    assert (ttl, length) == (-1, before + len(ids))
    assert sorted(answered) == sorted(ids)
    assert [group["name"] for group in groups] == [b"arm"]
    assert len(read[0][1]) == before + len(ids)
    assert 0 < ours <= 3_600_000
