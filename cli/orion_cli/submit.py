"""`orion submit`: any producer's JSON onto the intake stream, and its final answer."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import redis
from redis.exceptions import NoPermissionError

from orion_cli import storage
from orion_cli.problem import CANCELLED, FAILED, REJECTED, TIMED_OUT, USAGE, Problem
from orion_cli.state import StoreAddress
from orion_cli.terminal import console, printable
from orion_contracts import keys
from orion_contracts.stamp import VERSION, iso_now

SOURCE = "orion-cli"
BLOCK_MS = 1000
PAUSE_S = 0.25
EXIT_CODES: Mapping[str, int] = {
    "completed": 0,
    "failed": FAILED,
    "expired": TIMED_OUT,
    "rejected": REJECTED,
    "cancelled": CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is sent, what was filled in, and where the answer will be."""

    payload: dict[str, Any]
    filled: tuple[str, ...]
    callback: str


def prepare(document: Mapping[str, Any], now: Callable[[], str] = iso_now) -> Envelope:
    """Add what is absent, change nothing that is there (pure but for id and clock)."""
    payload = dict(document)
    missing: dict[str, Callable[[], str]] = {
        "version": lambda: VERSION,
        "request_id": lambda: str(uuid.uuid4()),
        "timestamp": now,
        "source": lambda: SOURCE,
    }
    filled = tuple(name for name in missing if name not in payload)
    for name in filled:
        payload[name] = missing[name]()
    callback = payload.get("callback") or keys.responses(str(payload["request_id"]))
    return Envelope(payload, filled, str(callback))


def read_document(source: str) -> dict[str, Any]:
    """A JSON object from a file or, for `-`, from standard input."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text()
    except OSError as error:
        raise Problem(
            f"{source}: {error.strerror}", "name a file, or - for stdin", USAGE
        ) from error
    except UnicodeDecodeError as error:
        raise Problem(f"{source} is no UTF-8 text", "send JSON in UTF-8", USAGE) from error
    try:
        document: object = json.loads(text)
    except ValueError as error:
        raise Problem(f"{source} is no JSON: {error}", EXAMPLE, USAGE) from error
    if not isinstance(document, dict):
        raise Problem(f"{source} holds no JSON object", EXAMPLE, USAGE)
    return cast(dict[str, Any], document)


EXAMPLE = 'at least: {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hello"}]}'


def run(source: str, where: StoreAddress, wait_s: float) -> int:
    """Send, follow, print the final on standard output; the exit code is its status."""
    envelope = prepare(read_document(source))
    notes = console(stderr=True)
    if envelope.filled:
        values = (f"{name} = {envelope.payload[name]}" for name in envelope.filled)
        notes.print("filled in: " + ", ".join(values), style="dim", soft_wrap=True)
    with storage.opened(where) as store:
        # A stream of our own naming is read from its beginning: an id seen before answers at once.
        ours = envelope.callback == keys.responses(str(envelope.payload["request_id"]))
        begin = "0-0" if ours else _end(store, envelope)
        dead = _last_dead(store)
        entry = cast(
            bytes, store.xadd(keys.REQUESTS, {"payload": json.dumps(envelope.payload)})
        ).decode()
        request_id = envelope.payload["request_id"]
        notes.print(f"accepted as {entry}; answer on {envelope.callback}", style="dim")
        final = _Follower(store, envelope.callback, begin, entry, dead).final(wait_s)
    if final is None:
        raise Problem(
            f"no final for {request_id} within {wait_s:g} s",
            "the request is kept: send the same JSON with this request_id again to see its answer; "
            "`orion status` shows the queue",
            TIMED_OUT,
        )
    print(json.dumps(final, ensure_ascii=False, indent=2))
    if problem := final.get("error"):
        notes.print(f"{final.get('status', 'failed')}: {printable(str(problem))}", style="red")
    return EXIT_CODES.get(str(final.get("status", "failed" if problem else "completed")), FAILED)


def _end(store: redis.Redis, envelope: Envelope) -> str:
    try:
        return _last_id(store, envelope.callback)
    except redis.ResponseError as error:
        raise Problem(
            f"the callback {envelope.callback} cannot be read: {error}",
            "name a key that is a stream, or none",
            USAGE,
        ) from error


def _last_id(store: redis.Redis, stream: str) -> str:
    entries = cast(list[tuple[bytes, Any]], store.xrevrange(stream, count=1))
    return entries[0][0].decode() if entries else "0-0"


def _last_dead(store: redis.Redis) -> str | None:
    """None: this user may not read dead letters (the user `producer` may not)."""
    try:
        return _last_id(store, keys.DEAD)
    except NoPermissionError:
        return None


class _Follower:
    """Reads the callback, and the dead letters for an entry that was refused without an answer."""

    def __init__(
        self, store: redis.Redis, callback: str, begin: str, entry: str, dead: str | None
    ) -> None:
        self._store = store
        self._entry = entry
        self._callback = callback
        self._positions = {callback: begin} | ({} if dead is None else {keys.DEAD: dead})
        self._attempt = 0

    def final(self, wait_s: float) -> dict[str, Any] | None:
        """The final's document; None when the time is over. Chunks go to standard error."""
        deadline = time.monotonic() + wait_s
        refused = ""
        while (left_s := deadline - time.monotonic()) > 0:
            block = max(1, min(BLOCK_MS, int(left_s * 1000)))
            try:
                read: Any = self._store.xread(cast(Any, self._positions), block=block)
            except (redis.ConnectionError, redis.TimeoutError):
                time.sleep(PAUSE_S)  # accepted is accepted: the store comes back with it
                continue
            for name, entries in cast(list[tuple[bytes, list[Any]]], read or []):
                stream = name.decode()
                for entry, fields in entries:
                    self._positions[stream] = entry.decode()
                    if stream == self._callback:
                        if (final := self._take(fields)) is not None:
                            return final
                    elif fields.get(b"entry", b"").decode() == self._entry:
                        refused = fields.get(b"why", b"").decode()
            if refused and not read:  # its answer, if there is one, would be here by now
                raise Problem(
                    f"refused: {refused}", "correct the request; the entry is kept as a dead letter"
                )
        return None

    def _take(self, fields: Mapping[bytes, bytes]) -> dict[str, Any] | None:
        document = cast(dict[str, Any], json.loads(fields[b"payload"]))
        if fields[b"type"] == b"final":
            if self._attempt:
                print(file=sys.stderr)
            return document
        attempt = int(document.get("attempt", 1))
        if self._attempt and attempt != self._attempt:
            print(f"\n[its board was lost: attempt {attempt}]", file=sys.stderr)
        self._attempt = attempt
        for delta in cast(list[dict[str, Any]], document.get("deltas", [])):
            text = printable(str(delta.get("content", "")))
            print(text, end="", file=sys.stderr, flush=True)
        return None
