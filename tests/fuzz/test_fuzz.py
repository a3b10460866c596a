"""Whatever is thrown at the streams and at the gateway: no crash, no 500, and the next one served.

The seed is fixed (ORION_FUZZ_SEED changes it), so that a failure can be had again.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import redis

from fuzz.mutations import Mutator
from fuzz.pelting import pelt_http, pelt_stream
from integration.producers.customer import REQUESTS, Producer, node_stream, request
from orion_lab.stack import Stack
from servers.needs import demand

pytestmark = pytest.mark.integration
SEED = int(os.environ.get("ORION_FUZZ_SEED", "7"))
EXPECTED = frozenset({200, 202, 204, 400, 403, 404, 409, 413, 422, 499, 503, 504})
"""Among 5xx only "try again later" and "your deadline passed"."""


@pytest.fixture(scope="module")
def system() -> Iterator[Stack]:
    """A store whose writes are not waited for: this is about contents."""
    demand("valkey9")
    with Stack(["pi-a:zero", "pi-b:zero"], appendfsync="no") as stack:
        yield stack


def test_a_sample(system: Stack) -> None:
    """3,000 entries and bodies."""
    _pelt(system, SEED, intake=1200, board=600, bodies=1200)


@pytest.mark.slow
def test_a_hundred_thousand(system: Stack) -> None:
    """100,000 entries and bodies, in at most three minutes."""
    began_s = time.monotonic()
    _pelt(system, SEED + 1, intake=40_000, board=20_000, bodies=40_000)
    assert time.monotonic() - began_s < 180


def _pelt(system: Stack, seed: int, *, intake: int, board: int, bodies: int) -> None:
    names = [*system.programs, *(f"board-{name}" for name in system.boards), "store"]
    pids = {name: system.pid(name) for name in names}
    began_s = time.monotonic()

    threads = [
        threading.Thread(target=_stream, args=(system, REQUESTS, seed, intake)),
        threading.Thread(target=_stream, args=(system, node_stream("pi-a"), seed + 50, board)),
    ]
    for thread in threads:
        thread.start()
    where = urlsplit(system.url)
    statuses = asyncio.run(
        pelt_http(str(where.hostname), where.port or 80, Mutator(seed + 100), bodies)
    )
    for thread in threads:
        thread.join()
    posted_s = time.monotonic() - began_s
    with system.client() as store:
        for stream in (REQUESTS, node_stream("pi-a")):
            system.wait_until(partial(_is_read, store, stream), f"{stream} is read", 120)
        total_s = time.monotonic() - began_s
        _report(intake + board + bodies, posted_s, total_s, statuses)

        assert {name: system.pid(name) for name in names} == pids
        assert not set(statuses) - EXPECTED, statuses
        for stream in (REQUESTS, node_stream("pi-a"), node_stream("pi-b")):
            _serves(Producer(store), stream)
    assert system.http.get(f"{system.url}/readyz").status_code == 200


def _stream(system: Stack, stream: str, seed: int, count: int) -> None:
    with system.client() as store:
        pelt_stream(store, stream, Mutator(seed), count)


def _is_read(store: redis.Redis, stream: str) -> bool:
    """Nothing waits, and nothing was read without being settled."""
    groups = cast(Any, store.xinfo_groups(stream))
    return store.xlen(stream) == 0 and not any(group["pending"] for group in groups)


def _serves(producer: Producer, stream: str) -> None:
    """A valid request is answered; while nonsense models still fill the queue it may be refused."""
    deadline = time.monotonic() + 60
    while True:
        asked = request(options={"num_predict": 1})
        producer.add(asked, stream)
        answer = producer.wait(asked["callback"], within_s=40)
        if answer.get("error_code") != "queue_full":
            assert answer["response"], answer
            return
        assert time.monotonic() < deadline


def _report(count: int, posted_s: float, total_s: float, statuses: Counter[int]) -> None:
    told = ", ".join(f"{status}: {n}" for status, n in sorted(statuses.items()))
    sys.stdout.write(f"\n{count} in {total_s:.1f} s (posted in {posted_s:.1f} s); HTTP {told}\n")
