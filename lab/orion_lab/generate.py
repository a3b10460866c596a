"""Serving one generating request: schedule, load, wait for a slot, stream, account."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from orion_lab import world
from orion_lab.answers import Ending, Sink
from orion_lab.board import Board
from orion_lab.breakage import Cut, break_before, broken_end, crash_on_poison
from orion_lab.calls import Call
from orion_lab.engine import EngineError, Generation, Task
from orion_lab.errors import BODY_BY_STATUS, RUNNER_FAILED, ApiError
from orion_lab.faults import NO_FAULT, Fault
from orion_lab.pace import Pace
from orion_lab.prefixes import after_answer, uncached_share
from orion_lab.scheduler import Runner

_THOUGHTS: Final = ("The", " user", " asks", ".")


async def serve(board: Board, call: Call, sink: Sink) -> None:
    """Answer one call.

    Raises:
        ApiError: before the first token; later failures go into the stream.
        Cut: a fault asks for the connection to break here.
    """
    started_ns = time.perf_counter_ns()
    fault = board.faults.take()
    if fault is not None and fault.status is not None:
        board.stats.rejected += 1
        raise ApiError(fault.status, BODY_BY_STATUS.get(fault.status, RUNNER_FAILED))
    if call.load_only:
        await _load_only(board, call, sink)
        return
    stats = board.stats.of(call.model.name)
    with board.stats.request(stats):
        try:
            await _answer(board, call, sink, fault or NO_FAULT, started_ns)
        except asyncio.CancelledError:
            stats.cancelled += 1
            raise
        except (ApiError, EngineError, Cut) as error:
            stats.failed += 1
            if not isinstance(error, EngineError):
                raise
            if not sink.started:
                raise ApiError(500, str(error)) from None
            await sink.fail(str(error))


async def _load_only(board: Board, call: Call, sink: Sink) -> None:
    if call.keep_s == 0:
        board.stats.unload_only += 1
        board.scheduler.expire(call.model)
        await sink.finish(Ending("unload"))
        return
    board.stats.load_only += 1
    runner = await board.scheduler.acquire(call.model, call.fingerprint, call.keep_s)
    board.scheduler.release(runner)
    await sink.finish(Ending("load"))


async def _answer(board: Board, call: Call, sink: Sink, fault: Fault, started_ns: int) -> None:
    runner = await board.scheduler.acquire(call.model, call.fingerprint, call.keep_s)
    try:
        load_ns = time.perf_counter_ns() - started_ns
        async with runner.slots:
            crash_on_poison(board, fault, call.task.text)
            with board.stats.slot(), board.generating.busy():
                task = _salted(call.task, fault)
                async with aclosing(board.engine.generate(task)) as generation:
                    await _stream(board, call, sink, fault, runner, generation, started_ns, load_ns)
    finally:
        board.scheduler.release(runner)


async def _stream(
    board: Board,
    call: Call,
    sink: Sink,
    fault: Fault,
    runner: Runner,
    generation: Generation,
    started_ns: int,
    load_ns: int,
) -> None:
    stats, pace = board.stats.of(call.model.name), Pace()
    prompt_ns = time.perf_counter_ns()
    prompt_tokens = await generation.prompt_tokens()
    if not board.spec.instant:
        fresh = prompt_tokens * uncached_share(runner.prefixes, call.task)
        await pace.spend(fresh * board.decode_wall_s(call.model) / world.PREFILL_SPEEDUP)
    if fault.hang_before_first:
        await board.faults.hang()
    eval_ns = time.perf_counter_ns()
    extra_s = fault.token_delay_ms / 1000
    text: list[str] = []
    if call.thinking:
        for piece in _THOUGHTS:
            await pace.spend(board.decode_wall_s(call.model) + extra_s)
            await sink.token(piece, thought=True)
    thoughts = len(_THOUGHTS) if call.thinking else 0
    faulty = fault is not NO_FAULT
    async for piece in generation.tokens():
        if faulty:
            await break_before(board, sink, fault, len(text))
            if fault.error_mid_stream == len(text) or fault.end_without_done_after == len(text):
                break
        await pace.spend(board.decode_wall_s(call.model) + extra_s)
        await sink.token(piece)
        text.append(piece)
        stats.tokens += 1
    if faulty and (await broken_end(board, sink, fault, len(text))):
        stats.failed += 1
        return
    stats.finished += 1
    if not board.spec.instant:
        kept = after_answer(
            runner.prefixes, call.task, "".join(text), board.settings.cached_prompts
        )
        runner.prefixes = kept
    now_ns = time.perf_counter_ns()
    ending = Ending(
        generation.done_reason,
        total_duration=now_ns - started_ns,
        load_duration=load_ns,
        prompt_eval_count=prompt_tokens,
        prompt_eval_duration=eval_ns - prompt_ns,
        eval_count=generation.output_tokens + thoughts,
        eval_duration=now_ns - eval_ns,
        tool_calls=_tool_calls(board, call),
    )
    await sink.finish(ending)


def _salted(task: Task, fault: Fault) -> Task:
    if not fault.salt:
        return task
    return replace(task, salt=fault.salt)


def _tool_calls(board: Board, call: Call) -> tuple[dict[str, Any], ...]:
    """A call of every offered tool that the last message names: enough to test the way."""
    if not call.tools or not call.task.messages:
        return ()
    asked = call.task.messages[-1].content
    named = [name for name in call.tools if name and name in asked]
    return tuple(
        {
            "id": f"call_{board.rng.getrandbits(32):08x}",
            "function": {"index": index, "name": name, "arguments": {}},
        }
        for index, name in enumerate(named)
    )
