"""One system of real processes for these tests: two boards that cost no time, one router."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration.producers.customer import Producer
from orion_lab.stack import Stack
from servers.needs import demand


@pytest.fixture(scope="package")
def system() -> Iterator[Stack]:
    """Store, router, two workers, two boards."""
    demand("valkey9")
    flags = ["--health-interval-s", "1"]
    boards = ["pi-a:zero", "pi-b:zero"]
    with Stack(boards, appendfsync="everysec", worker_flags=flags) as stack:
        yield stack


@pytest.fixture
def producer(system: Stack) -> Iterator[Producer]:
    """Somebody with a Redis client and requirements.md."""
    with system.client() as store:
        yield Producer(store)
