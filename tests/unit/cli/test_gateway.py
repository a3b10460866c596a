"""Connecting to a gateway that may be starting again."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from orion_cli import gateway
from orion_cli.problem import UNREACHABLE, Problem
from orion_cli.state import Run, announce


class Says(BaseHTTPRequestHandler):
    """A gateway of one answer."""

    def do_GET(self) -> None:
        """Any path."""
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def here(url: str) -> None:
    """An `orion up` of this very process."""
    announce(
        Run(pid=os.getpid(), url=url, redis_addr="", redis_password="", data="", started_at=0.0)
    )


def test_a_router_that_is_restarted_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first connections are refused; the answer comes when it listens again."""
    monkeypatch.setenv("ORION_STATE", str(tmp_path))
    server = HTTPServer(("127.0.0.1", 0), Says, bind_and_activate=False)
    server.server_bind()  # bound and not listening: refused
    url = f"http://127.0.0.1:{server.server_address[1]}"
    here(url)
    refused = threading.Event()

    def pause(_: float) -> None:
        refused.set()

    monkeypatch.setattr(time, "sleep", pause)

    def serve() -> None:
        assert refused.wait(5.0)
        server.server_activate()
        server.handle_request()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with gateway.client(url) as http:
            assert gateway.fetch(http, "/api/tags") == {"path": "/api/tags"}
    finally:
        refused.set()
        thread.join()
        server.server_close()
    assert refused.is_set()


def test_another_gateway_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    """Nobody restarts what no `orion up` here runs: it is said at once."""
    monkeypatch.setenv("ORION_STATE", str(tmp_path))

    def never(_: float) -> None:
        pytest.fail("it waited")

    monkeypatch.setattr(time, "sleep", never)
    with gateway.client(f"http://127.0.0.1:{port}") as http, pytest.raises(Problem) as told:
        gateway.fetch(http, "/api/tags")
    assert told.value.code == UNREACHABLE


def test_the_wait_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """A router that does not come back is said to be unreachable."""
    monkeypatch.setenv("ORION_STATE", str(tmp_path))
    monkeypatch.setattr(gateway, "BACK_WITHIN_S", 0.0)
    url = f"http://127.0.0.1:{port}"
    here(url)
    with gateway.client(url) as http, pytest.raises(Problem) as told:
        gateway.fetch(http, "/api/tags")
    assert told.value.code == UNREACHABLE
