"""`orion record`: a trace of what a running system is asked, written as it happens."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import redis

from orion_cli import storage
from orion_cli.problem import USAGE, Problem
from orion_cli.state import StoreAddress
from orion_contracts import keys, schema
from orion_contracts.errors import InvalidRequest
from orion_contracts.health import NodeHealth, hash_to_wire
from orion_contracts.spelling import text
from orion_contracts.stamp import iso_now
from orion_lab.traces.collector import Collector
from orion_lab.traces.lines import Head, SeenBoard
from orion_router.bell import Bell

LOOK_EVERY_MS = 100
"""What a board is given the moment it comes rings no bell before its end: it is looked for. Of a
request that takes less than this, only what its end tells may be known."""
SAY_EVERY_S = 10.0
_RECORD = ("meta", "accepted", "model", "body")


def run(path: Path, where: StoreAddress, minutes: float | None, with_prompts: bool) -> int:
    """Listen to the planners' doorbell until the time is over or Ctrl-C."""
    with storage.opened(where) as store, _opened(path) as out:
        last = store.xrevrange(keys.EVENTS, count=1)
        position = cast(list[tuple[bytes, Any]], last)[0][0] if last else b"0-0"
        seconds, micros = store.time()
        collector = Collector(
            seconds * 1000 + micros // 1000, secrets.token_bytes(16), with_prompts
        )
        out.write(f"{_head(store, with_prompts).to_line()}\n")
        until_s = time.monotonic() + minutes * 60 if minutes else float("inf")
        length = f"for {minutes:g} minutes" if minutes else "until Ctrl-C"
        print(f"recording to {path} {length}", file=sys.stderr)
        written = _listen(store, collector, out, position, until_s)
    left = f"; {len(collector)} were not finished and are left out" if len(collector) else ""
    print(f"{path}: {written} requests{left}", file=sys.stderr)
    return 0


def _opened(path: Path) -> IO[str]:
    try:
        return path.open("w")
    except OSError as error:
        raise Problem(
            f"{path} cannot be written: {error.strerror}", "name another FILE", USAGE
        ) from error


def _listen(
    store: redis.Redis, collector: Collector, out: IO[str], position: bytes, until_s: float
) -> int:
    written, said_s = 0, time.monotonic()
    try:
        while time.monotonic() < until_s:
            read: Any = store.xread({keys.EVENTS: position}, count=256, block=LOOK_EVERY_MS)
            for _, entries in read or ():
                for entry, values in entries:
                    position = entry
                    written += _hear(store, collector, out, Bell.read(values))
            _look(store, collector)
            if sys.stderr.isatty() and time.monotonic() - said_s > SAY_EVERY_S:
                said_s = time.monotonic()
                print(f"\r{written} requests", end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return written


def _look(store: redis.Redis, collector: Collector) -> None:
    """Meet the requests that boards hold."""
    pipe = store.pipeline(transaction=False)
    for node in _nodes(store):
        pipe.smembers(keys.inflight(node))
    for held in pipe.execute(raise_on_error=False):
        if isinstance(held, set):
            for request_id in map(text, cast(set[bytes], held)):
                _meet(store, collector, request_id)


def _meet(store: redis.Redis, collector: Collector, request_id: str) -> None:
    """A record loses its planning facts with its end: they are read while it is open."""
    if not collector.knows(request_id):
        meta, accepted, _, body = _record(store, request_id)
        if meta is not None:
            collector.met(request_id, _whole(accepted), meta, body)


def _hear(store: redis.Redis, collector: Collector, out: IO[str], bell: Bell) -> int:
    """1 if a line was written."""
    if bell.kind in ("queued", "assigned"):
        _meet(store, collector, bell.request_id)
    elif bell.kind == "done":
        _, accepted, model, _ = _record(store, bell.request_id)
        line = collector.ended(
            bell.request_id, bell.status, bell.node, bell.facts, _whole(accepted),
            text(model) if model else "", _final(store, bell.request_id),
        )  # fmt: skip
        if line is not None:
            out.write(f"{line.to_line()}\n")
            out.flush()
            return 1
    return 0


def _record(store: redis.Redis, request_id: str) -> list[bytes | None]:
    try:
        return cast(list[bytes | None], store.hmget(keys.record(request_id), _RECORD))
    except redis.ResponseError:  # somebody put something else in its place
        return [None] * len(_RECORD)


def _final(store: redis.Redis, request_id: str) -> Mapping[str, Any]:
    try:
        newest: Any = store.xrevrange(keys.responses(request_id), count=1)
        found: Any = json.loads(newest[0][1][b"payload"])
    except (redis.ResponseError, LookupError, ValueError):
        return {}
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}


def _whole(value: bytes | None) -> int:
    return int(value) if value is not None and value.isdigit() else 0


def _nodes(store: redis.Redis) -> list[str]:
    return sorted(text(each) for each in cast(set[bytes], store.smembers(keys.NODES)))


def _head(store: redis.Redis, with_prompts: bool) -> Head:
    boards, models = list[SeenBoard](), dict[str, int]()
    for node in _nodes(store):
        try:
            told = cast(dict[bytes, bytes], store.hgetall(keys.node_health(node)))
            document = hash_to_wire(told)
            schema.check("node-health", document)
        except (redis.ResponseError, InvalidRequest, ValueError):
            continue  # no report now: the board is not known to have anything
        health = NodeHealth.from_wire(document)
        resident = tuple(model.name for model in health.resident)
        boards.append(SeenBoard(node, health.memory_total_bytes, resident))
        models |= {model.name: model.size_bytes for model in health.models}
    return Head(
        recorded_at=iso_now(), boards=tuple(boards), models=models, with_prompts=with_prompts
    )
