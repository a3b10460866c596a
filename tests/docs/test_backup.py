"""The backup that docs/kubernetes/operations.md describes, on a store that is being written."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from docs.pages import section
from orion_contracts.keys import REQUESTS
from orion_lab.stores import StoreProcess

OPERATIONS = "docs/kubernetes/operations.md"
pytestmark = [pytest.mark.integration, pytest.mark.needs("valkey9")]


def steps(number: int) -> list[str]:
    """The lines of the section's block of commands with that number, without kubectl and sudo."""
    text = section(OPERATIONS, "Backup of the queue")
    lines = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[number]
    ours = [line for line in lines.splitlines() if not line.startswith(("kubectl ", "cd "))]
    return [line.replace("sudo ", "") for line in ours]


def run(line: str, folder: Path, home: Path) -> str:
    """What a line prints, in the folder of the volume."""
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env={**os.environ, "HOME": str(home)}, timeout=30,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout


@contextmanager
def writing(store: StoreProcess) -> Generator[None]:
    """Entries are added as fast as the store takes them."""
    over = threading.Event()

    def write() -> None:
        with store.client() as client:
            while not over.is_set():
                client.xadd(REQUESTS, {"payload": "late" * 100})

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_what_was_accepted_before_the_copy_is_in_it(tmp_path: Path) -> None:
    """Copied under load, the old data thrown away, restored: every entry from before is there."""
    copy, check = steps(0)
    (restore,) = steps(1)
    folder = tmp_path / "volume"
    with StoreProcess("valkey9", folder) as store:
        with store.client() as client:
            early = [client.xadd(REQUESTS, {"payload": str(n)}) for n in range(200)]
            with writing(store):
                run(copy, folder, tmp_path)
                assert run(check, folder, tmp_path) == "good\n"
            client.delete(REQUESTS)
        store.stop()
        assert "tar" in restore
        run(restore, folder, tmp_path)
        store.start()
        with store.client() as client:
            kept: Any = client.xrange(REQUESTS)
    assert [entry for entry, _ in kept[:200]] == early


def test_a_rewrite_in_between_is_noticed(tmp_path: Path) -> None:
    """The store compacted its file after the copy was made: the page says to repeat it."""
    copy, check = steps(0)
    folder = tmp_path / "volume"
    with StoreProcess("valkey9", folder) as store, store.client() as client:
        client.xadd(REQUESTS, {"payload": "x"})
        run(copy, folder, tmp_path)
        client.bgrewriteaof()
        manifest = folder / "appendonlydir" / "appendonly.aof.manifest"
        _wait_for(client, manifest)
        assert "good" not in run(check, folder, tmp_path)


def _wait_for(client: redis.Redis, manifest: Path) -> None:
    """Until the rewrite is done; the test's time limit ends it otherwise."""
    while ".2." not in manifest.read_text():
        client.ping()
