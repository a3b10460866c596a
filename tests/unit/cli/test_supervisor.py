"""Keeping processes running."""

import asyncio
from pathlib import Path

import pytest

from orion_cli import supervisor
from orion_cli.child import ChildFailed, describe, tail
from orion_cli.supervisor import FIRST_PAUSE_S, LONGEST_PAUSE_S, Supervisor, next_pause


class FakeChild:
    """A child without a process."""

    log = Path("nowhere")

    def __init__(self, name: str, order: list[str], fails: int = 0) -> None:
        self.name = name
        self.pid: int | None = None
        self.starts = 0
        self.killed = False
        self._order = order
        self._fails = fails
        self._ended = asyncio.Event()

    async def start(self) -> None:
        self.starts += 1
        if self.starts > 1 and self._fails:
            self._fails -= 1
            raise ChildFailed(f"{self.name} did not come up")
        self._ended.clear()
        self.pid = 10_000_000 + self.starts  # beyond any real process

    async def wait(self) -> int:
        await self._ended.wait()
        return -9

    def die(self) -> None:
        self.pid = None
        self._ended.set()

    async def stop(self, grace_s: float) -> None:
        self._order.append(self.name)
        self.die()

    def kill(self) -> None:
        self.killed = True
        self.die()


class FakeGuard:
    """Remembers what it was told."""

    pid = None

    def __init__(self) -> None:
        self.told: list[str] = []

    async def start(self) -> None:
        pass

    async def wait(self) -> None:
        await asyncio.Event().wait()

    def tell(self, sign: str, pid: int) -> None:
        self.told.append(f"{sign}{pid - 10_000_000}")

    async def stop(self) -> None:
        pass


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> FakeGuard:
    """In the guard's place; and no pause before a restart."""
    fake = FakeGuard()
    monkeypatch.setattr(supervisor, "Guard", lambda: fake)
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE_S", 0.0)
    return fake


async def eventually(lines: list[str], wanted: str) -> None:
    """Wait until something was said."""
    async with asyncio.timeout(2):
        while not any(wanted in line for line in lines):  # noqa: ASYNC110 - lines is a plain list
            await asyncio.sleep(0)


async def test_a_child_that_dies_is_started_again_and_said_so(guard: FakeGuard) -> None:
    """Also when the first attempts fail; the guard always knows the living process."""
    said: list[str] = []
    order: list[str] = []
    child = FakeChild("router", order, fails=2)
    runner = Supervisor(said.append, said.append)
    await runner.open()
    await runner.start(child)
    child.die()
    await eventually(said, "router is back")
    assert child.starts == 4
    assert said[0] == "router died (killed by SIGKILL): starting it again; nothing is lost"
    assert sum("did not come up" in line for line in said) == 2
    assert guard.told[:2] == ["+1", "-1"]
    assert guard.told[-1] == "+4"
    await runner.stop([], 1.0)


async def test_stopping_goes_stage_by_stage_and_restarts_nothing(guard: FakeGuard) -> None:
    """Named stages first, then the rest, the last started first."""
    said: list[str] = []
    order: list[str] = []
    runner = Supervisor(said.append, said.append)
    await runner.open()
    children = [FakeChild(name, order) for name in ("store", "boards", "router", "agent a")]
    for child in children:
        await runner.start(child)
    await runner.stop([["router"], ["agent a"]], 1.0)
    assert order == ["router", "agent a", "boards", "store"]
    assert [child.starts for child in children] == [1, 1, 1, 1]
    assert not any("died" in line for line in said)


async def test_a_child_that_does_not_come_up_ends_the_start(guard: FakeGuard) -> None:
    """The failure is the caller's to show, and the process is not left running."""
    child = FakeChild("router", [])
    child.starts, child._fails = 1, 1  # pyright: ignore[reportPrivateUsage]
    runner = Supervisor(print, print)
    await runner.open()
    with pytest.raises(ChildFailed):
        await runner.start(child)
    assert child.killed
    await runner.stop([], 1.0)


def test_the_pause_doubles_until_the_process_runs_steadily() -> None:
    """From 0.2 s to 10 s, and back to the beginning after half a minute of life."""
    pauses = [0.0]
    for _ in range(8):
        pauses.append(next_pause(pauses[-1], 0.1))
    assert pauses[1:4] == [0.2, 0.4, 0.8]
    assert pauses[-1] == LONGEST_PAUSE_S
    assert next_pause(LONGEST_PAUSE_S, 31.0) == FIRST_PAUSE_S


def test_the_end_of_a_log_is_quoted(tmp_path: Path) -> None:
    """Its last lines, also when it is huge or missing."""
    log = tmp_path / "x.log"
    log.write_bytes(b"\xff" * 200_000 + b"\n" + b"".join(b"line %d\n" % n for n in range(50)))
    assert tail(log, 2) == "    line 48\n    line 49"
    assert "nothing" in tail(tmp_path / "none.log")
    assert [describe(n) for n in (1, -9, -999)] == [
        "exit status 1", "killed by SIGKILL", "killed by signal 999"
    ]  # fmt: skip
