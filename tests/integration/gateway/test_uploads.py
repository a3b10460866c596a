"""Large bodies at a real router: its memory, and everybody else's answers."""

from __future__ import annotations

import base64
import os
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import orjson
import psutil
import pytest

from orion_lab.stack import Stack

pytestmark = pytest.mark.needs("valkey9")

MIB = 1024 * 1024
MODEL = "smollm2:135m"
UPLOADS = 24
BOUND = 32 * MIB
FIT = 2
"""Of 9 MB in the three quarters of the bound that are for large bodies."""
OTHERWISE = 40 * MIB
"""What a router may grow by for other reasons: buffers of its connections, warming up."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A board, and a router whose bound is soon reached."""
    flags = ["--max-open-body-bytes", str(BOUND)]
    with Stack(["pi-a:zero"], appendfsync="no", router_flags=flags) as stack:
        yield stack


def test_slow_uploads_take_no_more_memory_than_the_bound(stack: Stack) -> None:
    """24 unfinished bodies of 9 MB, of which two have room: the others are told so,
    small requests are served meanwhile, and large ones afterwards."""
    pid = stack.programs["router-0"].pid
    assert pid is not None
    process = psutil.Process(pid)
    assert _chat(stack, "Hello").status_code == 200
    before = process.memory_info().rss
    peak = 0
    with ExitStack() as closing:
        uploads = [closing.enter_context(_Upload(stack.url, 9 * MIB)) for _ in range(UPLOADS)]
        deadline = time.monotonic() + 25
        while sum(bool(each.answer) for each in uploads) < UPLOADS - FIT:
            assert time.monotonic() < deadline, "not all that do not fit are refused"
            for each in uploads:
                each.push()
            peak = max(peak, process.memory_info().rss)
        refused = [each for each in uploads if each.answer]
        assert _chat(stack, "Hello").status_code == 200
    assert len(refused) == UPLOADS - FIT
    for each in refused:
        assert each.answer.startswith(b"HTTP/1.1 503 "), each.answer
        assert b"\r\nretry-after: 5\r\n" in each.answer
    assert peak - before < BOUND + OTHERWISE
    stack.wait_until(lambda: _chat(stack, "x" * 4, 6 * MIB).status_code == 200, "there is room")


def test_a_large_image_reaches_its_board(stack: Stack) -> None:
    """What is read in a thread is what was sent."""
    assert _chat(stack, "Look", 7 * MIB).status_code == 200


class _Upload:
    """A body that comes as fast as the router takes it, and never ends."""

    def __init__(self, url: str, size: int) -> None:
        address = httpx.URL(url)
        self._socket = socket.create_connection((address.host, address.port or 80))
        self._socket.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
        head = f"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        self._left = memoryview(head.encode() + b"{" * (size - 1))
        self.answer = b""

    def __enter__(self) -> _Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        self._socket.close()

    def push(self) -> None:
        """Send what the router takes now; hear what it says."""
        for _, events in self._selector.select(0):
            if events & selectors.EVENT_READ and not self.answer:
                self.answer = self._socket.recv(4096)
            elif events & selectors.EVENT_WRITE and self._left and not self.answer:
                self._left = self._left[self._socket.send(self._left[: 64 * 1024]) :]


def _chat(stack: Stack, text: str, image_bytes: int = 0) -> httpx.Response:
    message: dict[str, object] = {"role": "user", "content": text}
    if image_bytes:
        message["images"] = [base64.b64encode(os.urandom(image_bytes)).decode()]
    body = {"model": MODEL, "messages": [message], "stream": False, "options": {"num_predict": 2}}
    return stack.http.post(f"{stack.url}/api/chat", content=orjson.dumps(body), timeout=30)
