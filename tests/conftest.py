"""The house rules of every test.

- Asynchronous tests run on asyncio; one that leaves a task behind that it started, or blocks
  the event loop from product code, fails.
- A test ends in 5 s (unit), 60 s (integration, contract) or 15 min (slow); ORION_TIMEOUT_SCALE
  multiplies this on a loaded machine.
- What a machine lacks skips a test, or fails it if ORION_REQUIRE names it (servers/needs.py).
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import os
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from blockbuster import blockbuster_ctx

from orion_lab.stores import StoreProcess
from servers.needs import demand, required
from servers.stores import Store, fake_store, real_store, start_server

TESTS = Path(__file__).parent
STORES = ("fakeredis", "redis7", "redis8", "valkey9")
ORION_UP = Path(__file__).parent / "integration" / "cli"
SLOW_TIERS = ("real_ollama", "chaos", "cluster", "e2e", "faults", "build", "models", "real", "up")
# `make test` takes fakeredis and Valkey; the others, and the users of a deployment, come with
# `make test-contract`.
OTHER_STORES = re.compile(r"\[.*(redis7|redis8|-users)")
TIER_OF_FOLDER = {
    "contract_ledger": "contract",
    "integration": "integration",
    "build": "build",
    "chaos": "chaos",
    "chart": "chart",
    "e2e": "e2e",
    "faults": "faults",
    "parity": "real_ollama",
    "real": "real",
}
LOOP_MUST_NOT_BLOCK_IN = [
    name for name in ("orion_agent", "orion_router") if importlib.util.find_spec(name)
]

STARTED: ContextVar[list[asyncio.Task[Any]] | None] = ContextVar("started", default=None)

AsyncTest = Callable[..., Coroutine[Any, Any, None]]


# --- tiers and needs ---------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its tier (before -m selects) and its time limit."""
    scale = float(os.environ.get("ORION_TIMEOUT_SCALE", "1"))
    for item in items:
        if tier := TIER_OF_FOLDER.get(item.path.relative_to(TESTS).parts[0]):
            item.add_marker(tier)
        if "store" in getattr(item, "fixturenames", ()):
            item.add_marker("contract")
        if item.get_closest_marker("contract") and OTHER_STORES.search(item.name):
            item.add_marker("slow")
        if ORION_UP in item.path.parents:
            item.add_marker("up")
        if any(item.get_closest_marker(tier) for tier in SLOW_TIERS):
            item.add_marker("slow")
        if item.get_closest_marker("real_ollama"):
            item.add_marker(pytest.mark.needs("ollama"))
        if item.get_closest_marker("cluster") or item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.needs("cluster"))
        if item.get_closest_marker("timeout") is None:
            seconds = 5.0
            if item.get_closest_marker("integration") or item.get_closest_marker("contract"):
                seconds = 60.0
            if item.get_closest_marker("slow"):
                seconds = 900.0
            item.add_marker(pytest.mark.timeout(seconds * scale))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test whose needs are not met."""
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            demand(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skipped itself over something that ORION_REQUIRE names."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if named := [name for name in required() if name in reason.casefold()]:
            report.outcome = "failed"
            report.longrepr = f"{reason} (skipped, but ORION_REQUIRE names {', '.join(named)})"
    return report


# --- asynchronous tests ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asyncio only: that is what the processes run on."""
    return "asyncio"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Watch an asynchronous test for blocking calls and for tasks that it leaves behind."""
    may_block = pyfuncitem.get_closest_marker("may_block") is not None
    test: Any = pyfuncitem.obj
    if inner := getattr(test, "hypothesis", None):
        if iscoroutinefunction(inner.inner_test):
            inner.inner_test = _watched(inner.inner_test, may_block)
    elif iscoroutinefunction(test):
        pyfuncitem.obj = _watched(test, may_block)
    return (yield)


def _watched(test: AsyncTest, may_block: bool) -> AsyncTest:
    @functools.wraps(test)
    async def watched(*args: Any, **kwargs: Any) -> None:
        with _recorded_tasks() as started:
            if may_block:
                await test(*args, **kwargs)
            else:
                with blockbuster_ctx(scanned_modules=LOOP_MUST_NOT_BLOCK_IN) as guards:
                    for guard in guards.functions.values():  # redis-py asks for its own version
                        guard.can_block_in("redis/utils.py", "get_lib_version")
                    await test(*args, **kwargs)
        for _ in range(3):  # tasks cancelled at the test's very end get their turn
            await asyncio.sleep(0)
        left = [task for task in started if not task.done() and not _fakes_own(task)]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if left:
            names = "\n".join(f"  {task.get_name()}: {task.get_coro()}" for task in left)
            pytest.fail(f"the test left tasks behind:\n{names}", pytrace=False)

    return watched


@contextmanager
def _recorded_tasks() -> Generator[list[asyncio.Task[Any]]]:
    """The tasks that the test starts, and those that these start; not those of its fixtures."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    started: list[asyncio.Task[Any]] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=loop, **options)
        if STARTED.get() is started:
            started.append(task)
        return task

    loop.set_task_factory(factory)
    token = STARTED.set(started)
    try:
        yield started
    finally:
        STARTED.reset(token)
        loop.set_task_factory(before)


def _fakes_own(task: asyncio.Task[Any]) -> bool:
    """Whether fakeredis left this task: it wakes a blocked reader in the writer's context."""
    return "AsyncFakeSocket" in repr(task.get_coro())


# --- stores ------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def store_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, StoreProcess]]:
    """Real servers by kind, each started when a test first asks for it."""
    servers: dict[str, StoreProcess] = {}
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture(params=STORES)
def store(
    request: pytest.FixtureRequest,
    store_servers: dict[str, StoreProcess],
    tmp_path_factory: pytest.TempPathFactory,
) -> Store:
    """An empty store; the test runs once per kind, on the real server where there is one."""
    kind = request.param
    if kind == "fakeredis":
        return fake_store()
    demand(kind)
    if kind not in store_servers:
        store_servers[kind] = start_server(kind, tmp_path_factory.mktemp(kind))
    elif store_servers[kind].pid is None:  # a test killed it
        store_servers[kind].start()
    return real_store(store_servers[kind])


@pytest.fixture
async def store_client(store: Store) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of the store, answering bytes, closed after the test."""
    async with store.connect() as client:
        yield client


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[StoreProcess]:
    """One real Valkey for this test alone: it may be killed and restarted."""
    demand("valkey9")
    with StoreProcess("valkey9", tmp_path / "valkey") as server:
        yield server
