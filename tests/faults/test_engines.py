"""Clients that leave and engines that hang or break off: the board is freed, the answer comes."""

from __future__ import annotations

import time
from typing import Any, cast

import httpx
import pytest

from orion_contracts import keys
from orion_lab.stack import Stack
from orion_lab.trials import producer
from orion_lab.trials.figure import figure
from orion_lab.trials.row import set_faults
from orion_lab.trials.until import until
from orion_lab.trials.warm import warm

pytestmark = [pytest.mark.faults, pytest.mark.needs("valkey9")]

TOKEN_S = 0.5
QUICK = ["--stall-prefill-s", "2", "--stall-token-s", "2", "--run-lease-ms", "2000"]
LEASE = ["--run-lease-ms", "2000"]


def chat(prompt: str, *, stream: bool = True, tokens: int = 40) -> dict[str, object]:
    """A body for /api/chat."""
    return {
        "model": producer.MODEL,
        "messages": [{"role": "user", "content": prompt}],
        "stream": stream,
        "options": {"num_predict": tokens},
    }


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_client_that_disconnects_frees_the_board(stream: bool) -> None:
    """Within a second of the next token the board generates for nobody, and the request is
    closed as cancelled."""
    with Stack(["pi-a:zero"]) as stack:
        set_faults(stack, token_delay_ms=TOKEN_S * 1000)
        board = stack.boards["pi-a"]
        with httpx.Client(trust_env=False, timeout=30) as client:
            request = client.build_request(
                "POST", f"{stack.url}/api/chat", json=chat("leaving", stream=stream)
            )
            if stream:
                reply = client.send(request, stream=True)
                lines = reply.iter_lines()
                next(lines)
                next(lines)
                began_s = time.monotonic()
                reply.close()
            else:
                with pytest.raises(httpx.ReadTimeout):
                    client.send(
                        client.build_request(
                            "POST",
                            f"{stack.url}/api/chat",
                            json=chat("leaving", stream=False),
                            timeout=2.2,
                        )
                    )
                began_s = time.monotonic()
        until(lambda: board.stats()["inside"] == 0, 10, "the board is free", 0.01)
        freed_s = time.monotonic() - began_s
        with stack.client() as store:
            ids = [
                key.decode().rpartition(":")[2]
                for key in cast(list[bytes], store.keys(keys.record("*")))
            ]
            producer.wait_state(store, ids[0], "CANCELLED")
    figure(f"client left ({'streamed' if stream else 'whole'}): board free after {freed_s:.2f} s, "
          f"a token every {TOKEN_S} s")  # fmt: skip
    assert freed_s <= TOKEN_S + 1.0


@pytest.mark.parametrize(
    "fault", [{"hang_before_first": True}, {"hang_after_tokens": 3}], ids=["before", "after"]
)
def test_a_hung_engine_loses_its_lease(fault: dict[str, Any]) -> None:
    """Ollama stops answering before, or after, the first token: the request finishes elsewhere
    with the whole text and without a crash counted; the hung board gets no more work meanwhile."""
    with Stack(
        ["pi-a:zero", "pi-b:zero"], worker_flags=QUICK, router_flags=LEASE
    ) as stack, stack.client() as store:  # fmt: skip
        set_faults(stack, token_delay_ms=50)
        stack.boards["pi-a"].set_fault(**fault)
        stack.boards["pi-b"].set_fault(token_delay_ms=50)
        ids: list[str] = []
        began_s = time.monotonic()
        while not ids or producer.record(store, ids[-1]).get("node") != "pi-a":
            ids.append(producer.add(store, tokens=10, stream=True))
            producer.wait_state(store, ids[-1], "RUNNING", "COMPLETED")
            began_s = time.monotonic()
        final = producer.wait_final(store, ids[-1], 40)
        took_s = time.monotonic() - began_s
        record = producer.record(store, ids[-1])
    figure(f"hung {fault}: {final['status']} on {final['node']}, attempt {final['attempt']}, "
          f"after {took_s:.1f} s (stall budget 2 s), crashes {record['crashes']}, "
          f"losses {record['losses']}; {record.get('history', '')}")  # fmt: skip
    assert (final["status"], final["node"]) == ("completed", "pi-b")
    assert len(final["response"].split()) == 10
    assert took_s <= 12.0


def test_a_stream_that_ends_without_done_is_a_failure() -> None:
    """The engine closes the stream after three tokens without `done`: never an answer; the request
    runs again elsewhere and its final is whole."""
    with Stack(["pi-a:zero", "pi-b:zero"]) as stack, stack.client() as store:
        warm(stack, producer.MODEL)  # the load itself would take the fault
        for board in stack.boards.values():
            board.set_fault(end_without_done_after=3, count=1)
        ids = [producer.add(store, tokens=10, stream=True) for _ in range(4)]
        ended = [producer.wait_final(store, request_id, 30) for request_id in ids]
        history = [producer.record(store, request_id).get("history", "") for request_id in ids]
    again = [final for final in ended if final["attempt"] > 1]
    figure(f"ended without done: {len(again)} of 4 ran again; {'; '.join(filter(None, history))}")
    assert [final["status"] for final in ended] == ["completed"] * 4
    assert again
    assert all(len(final["response"].split()) == 10 for final in ended)


def test_a_cold_load_survives_the_client_that_caused_it() -> None:
    """One client causes a 4 s load and leaves after 1 s while another waits for the same model:
    the load is not aborted, and the other is answered when it ends."""
    flags = ["--slots", "2"]
    with Stack(["pi-a:zero"], board_flags=flags, worker_flags=flags) as stack:
        set_faults(stack, load_delay_s=4.0)
        board = stack.boards["pi-a"]
        began_s = time.monotonic()
        with httpx.Client(trust_env=False, timeout=30) as client:
            with pytest.raises(httpx.ReadTimeout):
                client.post(f"{stack.url}/api/chat", json=chat("first", tokens=4), timeout=1.0)
            reply = client.post(
                f"{stack.url}/api/chat", json=chat("second", stream=False, tokens=4)
            )
        took_s = time.monotonic() - began_s
        stats = board.stats()
    figure(f"cold load of 4 s, its client left after 1 s: {stats['cold_loads']} load, "
          f"{stats['loads_aborted']} aborted, the other answered after {took_s:.1f} s")  # fmt: skip
    assert reply.status_code == 200
    assert (stats["cold_loads"], stats["loads_aborted"]) == (1, 0)
    assert took_s < 6.0
