"""The suite bites: with one safeguard taken out of the library, checks that name it fail."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from contract_ledger import (
    test_admit,
    test_boards,
    test_cancel,
    test_clock,
    test_dispatch,
    test_emit,
    test_finish,
    test_memory,
    test_planner,
    test_release,
)
from contract_ledger.kit import Bench
from orion_contracts.ledger import library_source
from orion_lab.mutants import MUTANTS, mutant
from orion_lab.stores import StoreProcess
from servers.needs import demand
from servers.stores import fake_store, real_store

pytestmark = [pytest.mark.contract, pytest.mark.timeout(60)]
Check = Callable[..., Awaitable[None]]

CORE: Sequence[Check] = (
    test_admit.test_entry_is_settled_in_the_same_step,
    test_admit.test_same_request_again_is_dup,
    test_boards.test_poison_closes_at_three_crashes,
    test_cancel.test_cancel_of_a_waiting_request_closes_it,
    test_dispatch.test_named_request_goes_to_the_named_board,
    test_emit.test_cancel_is_learnt_at_the_next_emit,
    test_emit.test_zombie_is_fenced,
    test_finish.test_finish_closes_everything,
    test_finish.test_finish_again_is_already,
    test_finish.test_two_finishes_at_once_leave_one_final,
    test_finish.test_zombies_finish_after_the_end_is_dup,
    test_finish.test_zombies_finish_is_fenced_while_another_runs,
    test_planner.test_deposed_planner_can_do_nothing,
    test_planner.test_emits_keep_the_lease,
    test_planner.test_lapsed_lease_is_a_loss,
    test_release.test_queue_position_is_the_original_one,
    test_release.test_release_needs_the_token,
)
PARAMETRISED: Sequence[tuple[Check, tuple[Any, ...]]] = (
    (test_clock.test_step_is_told_and_nothing_is_closed, (test_clock.HOUR,)),
    (test_emit.test_a_chunk_is_published_once, ("my:replies",)),
)
ONLY_REAL = {
    "finish-refused-when-full": test_memory.test_accepted_work_is_finished,
    "admit-when-full": test_memory.test_newcomers_are_refused_and_their_entries_kept,
}


async def failures(source: str) -> list[str]:
    """The core checks that fail with this library, each on a fakeredis of its own."""
    failed: list[str] = []
    for check, args in [*((c, ()) for c in CORE), *PARAMETRISED]:
        async with fake_store().connect() as client:
            await client.function_load(source, replace=True)
            try:
                await check(await Bench(client).begin(), *args)
            except (AssertionError, RedisError, KeyError):
                failed.append(getattr(check, "__name__", repr(check)))
    return failed


async def test_the_library_as_it_is_passes() -> None:
    """Control: the checks fail for the mutations, not by themselves."""
    assert await failures(library_source()) == []


@pytest.mark.parametrize("name", sorted(set(MUTANTS) - set(ONLY_REAL)))
async def test_every_mutant_is_caught(name: str) -> None:
    """At least one core check fails for each safeguard that is taken out."""
    assert await failures(mutant(name)) != []


@pytest.fixture(scope="module")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StoreProcess]:
    """A real server of this module's own: its library gets spoilt."""
    demand("valkey9")
    folder: Path = tmp_path_factory.mktemp("mutants")
    with StoreProcess("valkey9", folder, appendfsync="no") as server:
        yield server


@pytest.mark.parametrize("name", ["", *ONLY_REAL])
async def test_memory_mutants_are_caught(name: str, real: StoreProcess) -> None:
    """Only a real server enforces its memory limit; "" is the control."""
    store = real_store(real)
    for mutation, check in ONLY_REAL.items():
        async with store.connect() as client:
            await client.flushall()
            source = mutant(name) if name else library_source()
            await client.function_load(source, replace=True)
            caught = False
            try:
                await check(await Bench(client).begin(), store)
            except (AssertionError, RedisError, pytest.fail.Exception):
                caught = True
            assert caught == (mutation == name)


def test_every_mutant_says_what_it_breaks() -> None:
    """Names are used on command lines: each has a sentence that explains it."""
    assert all(inspect.getdoc(mutation) for mutation in MUTANTS.values())
    assert {"finish-without-state-check", "split-publish-and-ack"} <= set(MUTANTS)


async def test_split_mutant_looks_healthy_until_a_worker_dies() -> None:
    """It answers like the original; a death between the two steps makes the second final."""
    async with fake_store().connect() as client:
        await client.function_load(mutant("split-publish-and-ack"), replace=True)
        bench = await Bench(client).begin()
        healthy = await bench.running()
        assert await bench.finish(healthy) == "OK"
        await bench.call("beat", "pi-a", "pi-a#1", 9000)
        assert await bench.state(healthy.request_id) == "COMPLETED"
        held = await bench.running()
        assert await bench.finish(held) == "OK"
        await bench.ledger.enlist("pi-a", "pi-a#2")
        await bench.pass_time(bench.times.run_ms + 1)
        await bench.sweep()
        await bench.finish(await bench.running(held.request_id))

        assert len(await bench.finals(healthy.request_id)) == 1
        assert len(await bench.finals(held.request_id)) == 2
