"""No store outlives the test run that started it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from orion_lab.stores import StoreProcess
from servers.needs import demand

PROGRAM = """
import sys, time
from pathlib import Path
from orion_lab.stores import StoreProcess
store = StoreProcess("valkey9", Path(sys.argv[1]), appendfsync="no").start()
print(store.pid, flush=True)
time.sleep(60)
"""


def lives(pid: int) -> bool:
    """Whether the process is there, and no zombie that nobody has reaped yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("setpriv") is None, reason="needs Linux and setpriv"
)
def test_a_store_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """SIGKILL to a process leaves it no time to stop its store: the kernel does."""
    demand("valkey9")
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    assert lives(pid)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while lives(pid):
        assert time.monotonic() < deadline, "the store outlived its parent"
        os.sched_yield()


def test_a_store_does_not_end_with_the_thread_that_started_it(tmp_path: Path) -> None:
    """Tests restart stores from threads, which end long before the test does."""
    demand("valkey9")
    store = StoreProcess("valkey9", tmp_path / "store", appendfsync="no")
    thread = threading.Thread(target=store.start)
    thread.start()
    thread.join()
    try:
        with store.client() as client:
            assert client.ping()
        assert store.pid is not None
    finally:
        store.stop()
