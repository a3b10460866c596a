"""Runs in a pod of the cluster, with our image: asks for as long as it is told, then tells all.

A producer that knows only the contract: XADD until it is answered, then wait for the final on its
reply stream. The last line it prints is the history as JSON, which the test judges.
"""

import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orion_contracts import keys
from orion_contracts.stamp import iso_now
from orion_lab.trials.observe import read_entry

HOST, MODEL, SPAN_S, PER_S, TOKENS = sys.argv[1:6]
DRAIN_S = 240.0


def connect() -> redis.Redis:
    """A connection that reports every failure at once."""
    password = Path("/etc/orion/store/producer-password").read_text().strip()
    return redis.Redis(
        host=HOST, username="producer", password=password, socket_timeout=3,
        socket_connect_timeout=3, retry=Retry(NoBackoff(), 0),
    )  # fmt: skip


def document(request_id: str, reply: str) -> str:
    """One request, as requirements say."""
    return json.dumps({
        "version": "1.0", "request_id": request_id, "model": MODEL, "callback": reply,
        "messages": [{"role": "user", "content": f"Count. {request_id}"}],
        "timestamp": iso_now(), "source": "e2e", "options": {"num_predict": int(TOKENS)},
    })  # fmt: skip


def main() -> None:
    """Ask, wait, tell."""
    store: Any = connect()
    asked: list[tuple[str, str, bool]] = []
    entries: list[Any] = []
    began, errors = time.monotonic(), 0
    while time.monotonic() - began < float(SPAN_S):
        request_id = str(uuid.uuid4())
        reply = f"{keys.RESPONSES}e2e:{request_id}"
        acknowledged = False
        for _ in range(3):
            try:
                store.xadd(keys.REQUESTS, {"payload": document(request_id, reply)})
                acknowledged = True
                break
            except redis.RedisError:
                errors += 1
                time.sleep(1)
        asked.append((request_id, reply, acknowledged))
        print(f"asked {len(asked)}, errors {errors}", flush=True)
        time.sleep(1 / float(PER_S))
    deadline = time.monotonic() + DRAIN_S
    must = {reply for _, reply, acknowledged in asked if acknowledged}
    while must and time.monotonic() < deadline:
        try:
            for stream in sorted(must):
                found = store.xread({stream: "0"})
                if any(f.get(b"type") == b"final" for _, got in found for _, f in got):
                    must.discard(stream)
        except redis.RedisError:
            errors += 1
        print(f"waiting for {len(must)}", flush=True)
        time.sleep(1)
    time.sleep(5)  # a second final would come now
    for _, reply, _ in asked:
        replies: list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]
        replies = store.xread({reply: "0"}) or []
        for _, got in replies:
            entries += [read_entry(reply, entry_id, fields) for entry_id, fields in got]
    print("HISTORY " + json.dumps({"asked": asked, "entries": entries, "errors": errors}))


main()
