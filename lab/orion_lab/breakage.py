"""What a fault does to a request on its way through a board."""

import os

from orion_lab.answers import Sink
from orion_lab.board import Board
from orion_lab.errors import RUNNER_FAILED, RUNNER_STOPPED, ApiError
from orion_lab.faults import Fault


class Cut(Exception):
    """The connection is to be dropped without an end."""


async def break_before(board: Board, sink: Sink, fault: Fault, sent: int) -> None:
    """Break before the token after `sent` tokens, if it is time.

    Raises:
        Cut: the connection is to be dropped.
    """
    if fault.hang_after_tokens == sent:
        await board.faults.hang()
    if fault.cut_after_tokens == sent:
        if not sink.started:
            await sink.begin()
        raise Cut


async def broken_end(board: Board, sink: Sink, fault: Fault, sent: int) -> bool:
    """Whether the stream was ended by a fault; an answer shorter than the fault's count meets it
    at its end.

    Raises:
        ApiError: nothing was sent yet, so the failure still has a status of its own.
        Cut: see `break_before`.
    """
    if fault.cut_after_tokens is not None or fault.hang_after_tokens is not None:
        await break_before(board, sink, fault, sent)
    if fault.error_mid_stream is not None and sent >= fault.error_mid_stream:
        if not sink.started:
            raise ApiError(500, RUNNER_FAILED)
        await sink.fail(RUNNER_FAILED)
        return True
    if fault.end_without_done_after is not None and sent >= fault.end_without_done_after:
        await sink.end()
        return True
    return False


def crash_on_poison(board: Board, fault: Fault, prompt: str) -> None:
    """Die of a poisonous prompt: the runner, or the whole process.

    Raises:
        ApiError: the runner died.
    """
    poison = fault.crash_on_prompt_containing
    if not poison or poison not in prompt:
        return
    board.stats.crashes += 1
    if fault.crash_kind == "process":
        os._exit(137)
    board.scheduler.crash()
    raise ApiError(500, RUNNER_STOPPED)
