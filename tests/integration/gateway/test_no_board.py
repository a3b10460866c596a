"""What clients see when no board may work and the configuration says not to wait."""

from __future__ import annotations

import time
from contextlib import ExitStack

import ollama
import orjson
import pytest

from orion_contracts import keys
from orion_contracts.stamp import VERSION, iso_now
from orion_lab.stack import Stack
from parity.parity_sides import MODEL
from parity.test_clients import SAY, ask_openai, close_clients, native, raised

__all__ = ["close_clients"]


@pytest.mark.needs("valkey9")
def test_without_a_board_the_clients_raise_a_503() -> None:
    """Where the configuration says not to wait: the exception of a busy server, both clients."""
    config = {
        "version": VERSION, "generation": 1, "timestamp": iso_now(), "source": "test",
        "routing": {"when_no_node_eligible": "Reject"},
    }  # fmt: skip
    with Stack(["pi-a:zero"]) as stack:
        with stack.client() as store:
            store.set(keys.CONFIG, orjson.dumps(config))
        stack.stop("worker-pi-a")
        deadline = time.monotonic() + 20
        while _is_served(stack.url) and time.monotonic() < deadline:
            time.sleep(0.2)
        ours = raised(lambda url: native(url).chat(MODEL, SAY), stack.url)
        theirs = raised(lambda url: ask_openai(url), stack.url)

    assert ours[:2] == ("ResponseError", 503)
    assert theirs[:2] == ("InternalServerError", 503)


def _is_served(url: str) -> bool:
    """Whether the router does not refuse yet; it learns of both changes within seconds."""
    client = ollama.Client(host=url, trust_env=False, timeout=1)
    with ExitStack() as closing:
        closing.callback(client.close)
        try:
            client.chat(MODEL, SAY)
        except ollama.ResponseError:
            return False
        except Exception:
            return True
    return True
