"""release: work that goes back to its place, and the limits of patience."""

from __future__ import annotations

import pytest

from contract_ledger.kit import Bench, a_request
from orion_contracts import keys
from orion_contracts.ledger import FailureKind

COUNTER = {"crash": "crashes", "loss": "losses", "refused": "refusals"}


@pytest.mark.parametrize("kind", list(FailureKind))
async def test_release_returns_the_request(bench: Bench, kind: FailureKind) -> None:
    """Each kind: queued again, slot free, its own counter and no other, history told."""
    held = await bench.running()
    assert await bench.release(held, kind, "engine said so")

    record = await bench.record(held.request_id)
    assert record["state"] == "QUEUED"
    counts = {name: record[name] for name in COUNTER.values()}
    wanted = {name: "1" if COUNTER.get(kind.value) == name else "0" for name in COUNTER.values()}
    assert counts == wanted
    assert record["history"] == f"1 pi-a {kind.value} engine said so; "
    assert await bench.queue() == [held.request_id]
    assert await bench.inflight() == set()
    assert await bench.due(held.request_id) == int(record["deadline"])


async def test_assigned_work_can_be_released(bench: Bench) -> None:
    """A worker that stops gives back what it has not started, too."""
    await bench.board("pi-a")
    held = await bench.assigned(await bench.submit())

    assert await bench.release(held)
    assert await bench.queue() == [held.request_id]


async def test_release_needs_the_token(bench: Bench) -> None:
    """Twice, or by a zombie: False, and nothing moves."""
    held = await bench.running()
    assert await bench.release(held, FailureKind.CRASH)
    assert not await bench.release(held, FailureKind.CRASH)
    assert (await bench.record(held.request_id))["crashes"] == "1"
    await bench.running(held.request_id)

    assert not await bench.release(held, FailureKind.CRASH)
    assert await bench.state(held.request_id) == "RUNNING"


async def test_queue_position_is_the_original_one(bench: Bench) -> None:
    """Back before all that came later, and never before a higher class."""
    batch_first = await bench.submit(a_request(priority="batch"))
    await bench.pass_time(2)
    ids = [batch_first]
    for priority in ("interactive", "interactive", "batch", "interactive"):
        ids.append(await bench.submit(a_request(priority=priority)))
        await bench.pass_time(2)
    order = [ids[1], ids[2], ids[4], ids[0], ids[3]]
    assert await bench.queue() == order
    for request_id in (ids[2], ids[0]):
        await bench.release(await bench.running(request_id), FailureKind.LOSS)

    assert await bench.queue() == order


@pytest.mark.parametrize(
    ("kind", "limit", "code", "letters"),
    [
        (FailureKind.CRASH, 3, "crashed", 1),
        (FailureKind.LOSS, 10, "crashed", 1),
        (FailureKind.REFUSED, 5, "engine_busy", 0),
    ],
)
async def test_limit_closes_with_history(
    bench: Bench, kind: FailureKind, limit: int, code: str, letters: int
) -> None:
    """At its limit: one final `failed` that tells the history, and a dead letter for the lost."""
    request_id = await bench.submit(a_request(callback="my:replies"))
    for n in range(limit):
        assert await bench.state(request_id) == "QUEUED"
        await bench.release(await bench.running(request_id), kind, f"reason {n}")

    assert await bench.state(request_id) == "FAILED"
    final = await bench.the_final(request_id)
    assert (final["status"], final["error_code"]) == ("failed", code)
    assert f"reason {limit - 1}" in final["error"]
    assert final["attempt"] == limit
    assert len(await bench.payloads("my:replies", "final")) == 1
    dead = await bench.dead()
    assert len(dead) == letters
    assert all(d["id"] == request_id and "reason 0" in d["history"] for d in dead)
    assert await bench.queue() == []
    assert await bench.store.get(keys.BYTES) == b"0"


async def test_plain_release_has_no_limit(bench: Bench) -> None:
    """An orderly stop never counts against a request."""
    request_id = await bench.submit()
    for _ in range(12):
        await bench.release(await bench.running(request_id))

    assert await bench.state(request_id) == "QUEUED"


async def test_cancelled_work_ends_when_given_back(bench: Bench) -> None:
    """A cancel that its worker never learnt of is honoured when the work comes back."""
    held = await bench.running()
    await bench.ledger.cancel(held.request_id)
    assert await bench.release(held, FailureKind.CRASH)

    assert (await bench.the_final(held.request_id))["status"] == "cancelled"
    assert await bench.queue() == []


@pytest.mark.parametrize(
    "why", ["é" * 300, "\ud800 lone", 'quote " \\ \n\r\x00 \u2028', "x" * 5000]
)
async def test_any_reason_leaves_a_readable_final(bench: Bench, why: str) -> None:
    """Error texts of engines are hostile: long, cut inside a character, with control characters."""
    request_id = await bench.submit()
    for _ in range(bench.limits.losses):
        assert await bench.release(await bench.running(request_id), FailureKind.LOSS, why)

    raw = await bench.store.xrange(keys.responses(request_id))
    assert raw[0][1][b"payload"].decode("utf-8")  # strict
    assert (await bench.the_final(request_id))["status"] == "failed"
    assert len((await bench.record(request_id))["history"].encode()) <= 1010
