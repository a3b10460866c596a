"""Who gets a loaded model, who waits, who is evicted."""

import asyncio
from collections.abc import Callable

import pytest

from orion_lab.errors import QUEUE_FULL, ApiError
from orion_lab.models import ModelSpec, model
from orion_lab.scheduler import Fingerprint, Scheduler

A, B, C = (model(f"{name}=1") for name in "abc")
OPTIONS = Fingerprint(4096)


class Disk:
    """Loads that finish when the test says so."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.aborted: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self, spec: ModelSpec, fingerprint: Fingerprint) -> None:
        """Wait for the gate."""
        self.started.append(spec.name[0])
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.aborted.append(spec.name[0])
            raise


def make(disk: Disk, *, max_loaded: int = 1, max_queue: int = 512, slots: int = 1) -> Scheduler:
    """A scheduler over that disk."""
    return Scheduler(
        disk.load, slots=slots, max_loaded=max_loaded, max_queue=max_queue, keep_alive_s=300
    )


async def use(scheduler: Scheduler, spec: ModelSpec, keep_s: float | None = None) -> None:
    """Take the model and give it back."""
    scheduler.release(await scheduler.acquire(spec, OPTIONS, keep_s))


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until it holds."""
    async with asyncio.timeout(2):
        while not condition():  # noqa: ASYNC110 - the condition is the scheduler's own state
            await asyncio.sleep(0)


def loaded(scheduler: Scheduler) -> str:
    """First letters of the loaded models."""
    return "".join(runner.model.name[0] for runner in scheduler.runners.values())


async def test_a_loaded_model_is_not_loaded_again() -> None:
    """Only a different fingerprint costs a load."""
    disk = Disk()
    scheduler = make(disk)
    await use(scheduler, A)
    await use(scheduler, A)
    assert disk.started == ["a"]
    scheduler.release(await scheduler.acquire(A, Fingerprint(2048), None))

    assert disk.started == ["a", "a"]
    scheduler.crash()


async def test_the_idle_model_with_the_shortest_keep_alive_goes() -> None:
    """A busy one stays even if it is shorter."""
    disk = Disk()
    scheduler = make(disk, max_loaded=2)
    await use(scheduler, A, 600)
    busy = await scheduler.acquire(B, OPTIONS, 1)
    await use(scheduler, C)

    assert loaded(scheduler) == "bc"
    scheduler.release(busy)
    scheduler.crash()


async def test_when_all_are_busy_the_next_to_finish_makes_room() -> None:
    """The newcomer waits, and what is running is not disturbed."""
    disk = Disk()
    scheduler = make(disk)
    busy = await scheduler.acquire(A, OPTIONS, None)
    newcomer = asyncio.create_task(use(scheduler, B))
    await until(lambda: scheduler.runners[A.digest].keep_s == 0)
    assert not newcomer.done()
    scheduler.release(busy)
    await newcomer

    assert loaded(scheduler) == "b"
    scheduler.crash()


async def test_loads_happen_one_at_a_time_while_loaded_models_serve() -> None:
    """The queue for loads does not stop what is resident."""
    disk = Disk()
    scheduler = make(disk, max_loaded=3)
    await use(scheduler, A)
    disk.gate.clear()
    waiting = [asyncio.create_task(use(scheduler, spec)) for spec in (B, C)]
    await until(lambda: disk.started == ["a", "b"])
    await use(scheduler, A)
    assert disk.started == ["a", "b"]
    disk.gate.set()
    await asyncio.gather(*waiting)

    assert loaded(scheduler) == "abc"
    scheduler.crash()


async def test_too_many_waiting_for_a_load_are_refused() -> None:
    """503 in Ollama's words; the one that is loading does not count as waiting."""
    disk = Disk()
    scheduler = make(disk, max_queue=1)
    disk.gate.clear()
    waiting = [asyncio.create_task(use(scheduler, A)) for _ in range(2)]
    await until(lambda: disk.started == ["a"])
    with pytest.raises(ApiError) as refused:
        await use(scheduler, A)
    disk.gate.set()
    await asyncio.gather(*waiting)

    assert (refused.value.status, refused.value.message) == (503, QUEUE_FULL)
    scheduler.crash()


async def test_leaving_aborts_the_load_and_the_next_one_starts_over() -> None:
    """Nothing is listed before it is loaded."""
    disk = Disk()
    scheduler = make(disk)
    disk.gate.clear()
    first, second = (asyncio.create_task(use(scheduler, A)) for _ in range(2))
    await until(lambda: disk.started == ["a"])
    assert loaded(scheduler) == ""
    first.cancel()
    await until(lambda: disk.started == ["a", "a"])
    disk.gate.set()
    await second

    assert disk.aborted == ["a"]
    assert loaded(scheduler) == "a"
    scheduler.crash()


async def test_keep_alive_zero_unloads_when_the_last_user_leaves() -> None:
    """Not before."""
    scheduler = make(Disk())
    one = await scheduler.acquire(A, OPTIONS, 0)
    other = await scheduler.acquire(A, OPTIONS, None)
    scheduler.release(one)
    assert loaded(scheduler) == "a"
    scheduler.release(other)

    assert loaded(scheduler) == ""


async def test_expiring_waits_for_the_running_request() -> None:
    """Unload answers at once; the unload follows."""
    scheduler = make(Disk())
    runner = await scheduler.acquire(A, OPTIONS, None)
    scheduler.expire(A)
    assert loaded(scheduler) == "a"
    scheduler.release(runner)

    assert loaded(scheduler) == ""
