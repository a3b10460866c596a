"""What a worker does with requests, whole and broken ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
import pytest

from orion_contracts import keys, schema

if TYPE_CHECKING:
    from .conftest import Bench


async def test_a_doorbell_becomes_a_stream_and_one_final(bench: Bench) -> None:
    """Chunks in order with the engine's tokens, then one valid final that holds the whole text."""
    await bench.up()
    request = bench.request()
    await bench.give(request)
    final = await bench.final(request)
    seen = await bench.events(request.reply_stream)
    chunks = [payload for kind, payload in seen if kind == "chunk"]
    schema.check("inference.response", final)
    for chunk in chunks:
        schema.check("chunk", chunk)
    assert [chunk["seq"] for chunk in chunks] == list(range(1, len(chunks) + 1))
    assert chunks[0]["residency"] == "cold"
    tokens = [delta["content"] for chunk in chunks for delta in chunk["deltas"]]
    assert len(tokens) == 16
    assert "".join(tokens) == final["response"]
    assert [kind for kind, _ in seen].count("final") == 1
    assert final["status"] == "completed"
    assert (final["node"], final["attempt"], final["finish_reason"]) == ("pi-1", 1, "length")
    assert final["completion_tokens"] == 16


async def test_a_final_alone_without_stream(bench: Bench) -> None:
    """A request that does not ask for a stream gets exactly one entry."""
    await bench.up()
    request = bench.request(stream=False)
    await bench.give(request)
    final = await bench.final(request)
    assert len(await bench.events(request.reply_stream)) == 1
    assert len(final["response"].split()) == 16


async def test_generate_and_embed(bench: Bench) -> None:
    """The two other operations; an embedding's response is its vectors as JSON."""
    await bench.up()
    generate, embed = bench.request(operation="generate"), bench.request(operation="embed")
    await bench.give(generate)
    assert (await bench.final(generate))["status"] == "completed"
    await bench.give(embed)
    final = await bench.final(embed)
    assert final["status"] == "completed", final
    assert len(orjson.loads(final["response"])) == 1


async def test_an_unknown_model_fails_at_once(bench: Bench) -> None:
    """No other board is tried: the engine says that the request itself is wrong."""
    await bench.up()
    request = bench.request(model="nobody-has-this")
    await bench.give(request)
    final = await bench.final(request)
    assert final["status"] == "failed"
    assert (final["error_code"], final["error_status"]) == ("model_not_found", 404)
    assert "not found" in final["error"]


async def test_a_request_put_straight_on_the_boards_stream(bench: Bench) -> None:
    """Without any router: `payload` or `data`, answered on the callback that it names."""
    await bench.up()
    for name in ("payload", "data"):
        request = bench.request(callback=f"replies:{name}", stream=False)
        body = orjson.dumps(request.to_wire())
        await bench.client.xadd(keys.node_requests("pi-1"), {name: body})
        final = await bench.final(request)
        assert final["status"] == "completed"
        assert await bench.client.ttl(f"replies:{name}") == -1


async def test_limits_are_the_workers_flags(bench: Bench) -> None:
    """A direct entry above them is answered with the limit; one below them is served."""
    await bench.up("--max-prompt-bytes", "2000", "--max-body-bytes", "4000")
    for text, limit in (("x" * 3000, "2000"), ("x" * 5000, "4000"), ("x" * 1900, "")):
        request = bench.request(text, callback=f"replies:{len(text)}", stream=False)
        body = orjson.dumps(request.to_wire())
        await bench.client.xadd(keys.node_requests("pi-1"), {"payload": body})
        final = await bench.final(request)
        assert final["request_id"] == request.request_id
        assert final.get("error_code") == ("too_large" if limit else None)
        assert limit in final.get("error", "")


GARBAGE: dict[str, dict[str, bytes]] = {
    "no known field": {"foo": b"bar"},
    "a doorbell without token": {"id": b"x"},
    "a doorbell that is no text": {"id": b"\xff\xfe", "token": b"\xff"},
    "a doorbell of nobody": {"id": str(uuid4()).encode(), "token": b"1:abc:def"},
    "not JSON": {"payload": b"{nope"},
    "not an object": {"payload": b"[1, 2]"},
    "empty": {"payload": b""},
    "no UTF-8": {"payload": b"\xff\x00\xfe"},
    "deeply nested": {"payload": b'{"a":' * 5000 + b"1" + b"}" * 5000},
    "ten megabytes": {"payload": b'{"model":"' + b"x" * 11_000_000 + b'"}'},
}


async def test_no_garbage_stops_the_next_request(bench: Bench) -> None:
    """Each kind ends settled, with a dead letter where it was no doorbell."""
    await bench.up()
    stream = keys.node_requests("pi-1")
    for fields in GARBAGE.values():
        await bench.client.xadd(stream, dict[Any, Any](fields))
    request = bench.request()
    await bench.give(request)
    assert (await bench.final(request))["status"] == "completed"
    assert await bench.client.xlen(stream) == 0
    letters: Any = await bench.client.xrange(keys.DEAD)
    assert len(letters) == len(GARBAGE) - 1
    assert all(len(fields[b"sample"]) <= 512 for _, fields in letters)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2.0"},
        {"model": ""},
        {"messages": []},
        {"options": "fast"},
        {"timestamp": "yesterday"},
        {"callback": "orion:inference:queue"},
        {"options": {"num_batch": 0}},
        {"format": {"type": "nonsense"}},
    ],
    ids=str,
)
async def test_an_invalid_request_is_answered(bench: Bench, change: dict[str, Any]) -> None:
    """With a final that says what is wrong, where the request names a usable place."""
    await bench.up()
    request = bench.request()
    wire = {**request.to_wire(), **change}
    await bench.client.xadd(keys.node_requests("pi-1"), {"payload": orjson.dumps(wire)})
    final = await bench.final(request)
    schema.check("inference.response", final)
    assert final["error_code"] == "invalid_request"
    assert next(iter(change)) in final["error"]
    assert await bench.client.type(keys.QUEUE) in (b"none", b"zset")
