"""Wrong arguments and spoilt keys: a function fails before its first write, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import RedisError, ResponseError

from contract_ledger.kit import STAMP, Bench, a_request
from orion_contracts import keys

LIMITS = (3, 10, 5)
ADMISSION: tuple[Any, ...] = (
    "ID", "my:replies", "", 60_000, b"body", b"{}", 0, 1, "m", "mark", 10, 10_000, "refuse", STAMP,
    "", "", "",
)  # fmt: skip
CALLS: dict[str, tuple[str, tuple[Any, ...], tuple[int, ...]]] = {
    # name: function, good arguments, indices that must be numbers
    "admit": ("admit", (*ADMISSION, "", "", "", "", ""), (3, 6, 10, 11)),
    "admit to a board": ("admit", (*ADMISSION, "pi-a", "EPOCH", 9, "n", 1000), (19, 21)),
    "take": ("take", (*ADMISSION, "pi-a", "pi-a#1", "n", 1000), (3, 6, 20)),
    "dispatch": ("dispatch", ("QUEUED", "pi-a", "EPOCH", 9, "n", 1000), (3, 5)),
    "start": ("start", ("pi-a", "1-1", "ASSIGNED", "TOKEN", "pi-a#1", 1000), (5,)),
    "emit": ("emit", ("RUNNING", "TOKEN", 1000, 1, b"x"), (2, 3)),
    "finish": ("finish", ("RUNNING", "TOKEN", "COMPLETED", b"{}", 1, b"x", ""), (4,)),
    "release": ("release", ("RUNNING", "TOKEN", "loss", "why", STAMP, *LIMITS), (5, 6, 7)),
    "enlist": ("enlist", ("pi-a", "pi-a#2", STAMP, *LIMITS), (3, 4, 5)),
    "beat": ("beat", ("pi-a", "pi-a#1", 1000), (2,)),
    "leave": ("leave", ("pi-a", "pi-a#1", STAMP, *LIMITS), (3, 4, 5)),
    "grace": ("grace", ("EPOCH", 1000), (1,)),
    "steady": ("steady", ("EPOCH", 1_700_000_000_000, 1000), (1, 2)),
    "sweep": ("sweep", ("EPOCH", "", 10, STAMP, *LIMITS), (2, 4, 5, 6)),
}


async def snapshot(bench: Bench) -> dict[str, bytes | None]:
    """Every key with its content (times to live aside)."""
    found = [key async for key in bench.store.scan_iter()]
    return {key.decode(): await content(bench, key) for key in sorted(found)}


async def content(bench: Bench, key: bytes) -> Any:
    """A key's value, comparable."""
    kind = (await bench.store.type(key)).decode()
    store: Any = bench.store
    match kind:
        case "hash":
            return await store.hgetall(key)
        case "set":
            return await store.smembers(key)
        case "zset":
            return await store.zrange(key, 0, -1, withscores=True)
        case "stream":
            return await store.xrange(key)
        case _:
            return await store.get(key)


async def scene(bench: Bench) -> dict[str, str]:
    """A board with one request in every live state; the words to put into arguments."""
    await bench.board("pi-a")
    queued = await bench.submit()
    held = await bench.assigned(await bench.submit())
    running = await bench.running(stream=True)
    return {
        "ID": a_request().request_id, "EPOCH": bench.epoch, "QUEUED": queued,
        "ASSIGNED": held.request_id, "RUNNING": running.request_id,
        "ASSIGNED token": held.token, "RUNNING token": running.token,
    }  # fmt: skip


def filled(args: tuple[Any, ...], words: dict[str, str]) -> list[Any]:
    """The arguments with the scene's words in place."""
    state = next((a for a in args if a in ("ASSIGNED", "RUNNING")), "")
    words = {**words, "TOKEN": words.get(f"{state} token", "")}
    return [words.get(a, a) if isinstance(a, str) else a for a in args]


@pytest.mark.parametrize("name", CALLS)
async def test_the_table_of_calls_is_right(bench: Bench, name: str) -> None:
    """Control: each call works and changes something with the good arguments."""
    function, args, _ = CALLS[name]
    words = await scene(bench)
    before = await snapshot(bench)
    await bench.call(function, *filled(args, words))

    assert name in ("beat", "sweep") or await snapshot(bench) != before


@pytest.mark.parametrize("store", ["fakeredis", "valkey9"], indirect=True)
@pytest.mark.parametrize("name", CALLS)
async def test_wrong_number_fails_before_the_first_write(bench: Bench, name: str) -> None:
    """No argument that should be a number leaves a transition half done."""
    function, args, indices = CALLS[name]
    words = await scene(bench)
    before = await snapshot(bench)
    for index in indices:
        for bad in ("", "x", "nan", "inf", "-inf", "1-1"):
            wrong = filled(args, words)
            wrong[index] = bad
            with pytest.raises(ResponseError):
                await bench.call(function, *wrong)
            assert await snapshot(bench) == before, (index, bad)


@pytest.mark.parametrize("name", CALLS)
async def test_missing_arguments_fail_before_the_first_write(bench: Bench, name: str) -> None:
    """Too few arguments, from none to all but one."""
    function, args, _ = CALLS[name]
    words = await scene(bench)
    before = await snapshot(bench)
    for count in range(len(args)):
        try:
            await bench.call(function, *filled(args, words)[:count])
        except RedisError:
            assert await snapshot(bench) == before, count
        else:  # it answered without the rest: then it did nothing
            assert await snapshot(bench) == before, count


@pytest.mark.parametrize("seq", ["0", "-1", "1.5", "*", "999999999", "1-1", "x"])
async def test_seq_is_a_whole_number_from_one(bench: Bench, seq: str) -> None:
    """Nothing else may reach a stream's id, and no chunk comes after the final."""
    held = await bench.running(stream=True)
    before = await snapshot(bench)
    with pytest.raises(ResponseError):
        await bench.call("emit", held.request_id, held.token, 1000, seq, b"x")
    args = (held.request_id, held.token, "COMPLETED", b"{}", seq, b"x", "")
    with pytest.raises(ResponseError):
        await bench.call("finish", *args)

    assert await snapshot(bench) == before


@pytest.mark.parametrize("state", ["RUNNING", "QUEUED", "completed", "", "FOO"])
async def test_final_state_is_terminal(bench: Bench, state: str) -> None:
    """A record is never closed in a state that is none."""
    held, queued = await bench.running(), await bench.submit()
    with pytest.raises(ResponseError):
        await bench.call("finish", held.request_id, held.token, state, b"{}", 0, b"", "")
    with pytest.raises(ResponseError):
        await bench.call("reject", queued, bench.epoch, state, b"{}")

    assert await bench.state(held.request_id) == "RUNNING"
    assert await bench.state(queued) == "QUEUED"


@pytest.mark.parametrize("spoilt", [keys.EVENTS, keys.DEAD, keys.node_requests("pi-a")])
@pytest.mark.parametrize("name", CALLS)
async def test_spoilt_doorbell_or_copy_breaks_no_transition(
    bench: Bench, name: str, spoilt: str
) -> None:
    """A doorbell or copy that cannot be written: done whole, or refused whole."""
    function, args, _ = CALLS[name]
    words = await scene(bench)
    await bench.store.delete(spoilt)
    await bench.store.set(spoilt, "no stream")
    before = await snapshot(bench)
    try:
        await bench.call(function, *filled(args, words))
    except RedisError:
        assert await snapshot(bench) == before
    await consistent(bench)


async def consistent(bench: Bench) -> None:
    """Records and indices tell the same story (I4, I5, I6)."""
    states: dict[str, str] = {}
    async for key in bench.store.scan_iter(match=keys.record("*")):
        request_id = key.decode().removeprefix(keys.record(""))
        states[request_id] = (await bench.record(request_id))["state"]
    assert {i for i, s in states.items() if s == "QUEUED"} == set(await bench.queue())
    held = {i for i, s in states.items() if s in ("ASSIGNED", "RUNNING")}
    assert held == await bench.inflight("pi-a")
    for request_id in states:
        live = states[request_id] in ("QUEUED", "ASSIGNED", "RUNNING")
        assert (await bench.due(request_id) is not None) == live


@pytest.mark.parametrize(
    "request_id", ["", "a b", "x" * 10_000, "a\nb", "é\u2028", "%d%s", "*", "a:b"]
)
async def test_odd_ids_are_nothing_special(bench: Bench, request_id: str) -> None:
    """The boundary lets UUIDs through only; should another id come, it harms nobody else."""
    await bench.board("pi-a")
    held = await bench.running(await bench.submit(a_request("placeholder" + request_id)))
    await bench.silence("pi-a")
    await bench.sweep()
    await bench.ledger.enlist("pi-a", "pi-a#2")
    await bench.store.persist(keys.alive("pi-a"))
    assert await bench.ledger.cancel(held.request_id) == "CANCELLED"

    assert (await bench.the_final(held.request_id))["request_id"] == held.request_id
    await consistent(bench)


async def test_huge_values_pass(bench: Bench) -> None:
    """Bodies of 10 MB, finals of 4 MB, thousands of requests in flight on one board."""
    request = a_request(messages=({"role": "user", "content": "x" * 10_000_000},))
    held = await bench.running(await bench.submit(request))
    assert await bench.finish(held, "y" * 4_000_000) == "OK"
    for n in range(100):
        held_id = await bench.submit()
        given = await bench.ledger.dispatch(held_id, "pi-a", bench.epoch, 1000)
        assert given.obstacle is None, n
    assert await bench.ledger.enlist("pi-a", "pi-a#2") == 100

    await consistent(bench)


async def test_foreign_member_of_inflight_moves_nothing(bench: Bench) -> None:
    """An id in the wrong board's set is not taken from the board that runs it."""
    await bench.board("pi-b")
    held = await bench.running()
    await bench.store.sadd(keys.inflight("pi-b"), held.request_id, "ghost")
    await bench.silence("pi-b")
    await bench.sweep()
    await bench.ledger.enlist("pi-b", "pi-b#2")
    await bench.ledger.leave("pi-b", "pi-b#2")

    assert await bench.state(held.request_id) == "RUNNING"
    assert await bench.inflight("pi-b") == set()
    assert await bench.finish(held) == "OK"
