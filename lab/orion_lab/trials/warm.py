"""Make a model resident on every board before a trial, so that it measures something else."""

from __future__ import annotations

from functools import partial

from orion_lab.stack import Stack
from orion_lab.trials.until import until

KEEP_ALIVE_S = 3600


def warm(stack: Stack, model: str, within_s: float = 20.0) -> None:
    """Load the model on every board and wait until each router knows.

    Raises:
        TimeoutError: a board did not report it.
    """
    for board in stack.boards.values():
        body = {"model": model, "keep_alive": KEEP_ALIVE_S}
        stack.http.post(f"{board.url}/api/generate", json=body).raise_for_status()
    boards = set(stack.boards)
    for url in stack.urls:
        known = partial(_all_have, stack, model, url, boards)
        until(known, within_s, f"{model} resident everywhere")


def _all_have(stack: Stack, model: str, url: str, boards: set[str]) -> bool:
    return resident(stack, model, url) >= boards


def resident(stack: Stack, model: str, url: str = "") -> set[str]:
    """The boards that have the model in memory, as a router knows it."""
    return {
        name
        for name, node in stack.nodes(url).items()
        if any(model in str(each) for each in node.get("resident", ()))
    }
