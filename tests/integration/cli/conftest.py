"""One `orion up` for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration.cli.cli_harness import Up
from servers.needs import demand


@pytest.fixture(scope="module")
def canned_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Simulated boards with canned tokens, shared by the tests of a module."""
    demand("valkey9")
    home = tmp_path_factory.mktemp("canned")
    with Up(home, "--engine", "canned", "--speed", "20", "--no-live") as up:
        yield up
