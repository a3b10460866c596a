"""A router that cannot start says why in one line."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest

from orion_router import serve
from orion_router.settings import Settings


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def _as_it_is(level: str) -> None:
    """Logging stays as the test's own."""


@pytest.mark.may_block("it starts a process' main")
@pytest.mark.parametrize("flag", ["--http-port", "--metrics-port"])
def test_a_taken_port_is_one_line_with_a_remedy(
    flag: str, taken: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a traceback."""
    monkeypatch.setattr(serve, "configure_logging", _as_it_is)
    argv = ["--http-host", "127.0.0.1", "--http-port", "0", "--metrics-port", "0",
            "--redis-addr", "127.0.0.1:1", flag, str(taken)]  # fmt: skip
    with caplog.at_level(logging.ERROR):
        assert serve.serve(Settings.read(argv, {}), "0.1.0") == 1

    assert [r.getMessage() for r in caplog.records] == [
        f"cannot start: port {taken} of 127.0.0.1: Address already in use; end what listens "
        f"there, or choose another by {flag}"
    ]
