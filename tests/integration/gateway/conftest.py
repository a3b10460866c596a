"""The pair of servers under comparison: a simulated board, and the gateway in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orion_lab.stack import Stack
from orion_lab.testing import BoardProcess
from parity.parity_sides import Sides
from servers.needs import demand


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """The same board twice: asked directly, and through store, router and worker."""
    demand("valkey9")
    with BoardProcess() as board, Stack([f"pi-a={board.url}"]) as stack:
        yield Sides(board.url, stack.url, real=False)
