"""The pair of servers under comparison: a real Ollama, and the gateway in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orion_lab.stack import Stack
from parity.parity_sides import Sides, real_ollama
from servers.needs import demand


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """The same engine twice: asked directly, and through store, router and worker."""
    demand("valkey9")
    demand("ollama")
    with (
        real_ollama(tmp_path_factory.mktemp("ollama")) as url,
        Stack([f"pi-a={url}"]) as stack,
    ):
        yield Sides(url, stack.url, real=True)
