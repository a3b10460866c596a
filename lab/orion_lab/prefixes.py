"""Which prompts a loaded model still has in its KV cache, and what that saves. Pure."""

from collections.abc import Sequence

from orion_lab.engine import Task


def uncached_share(kept: Sequence[str], task: Task) -> float:
    """Share of the prompt (0 to 1) that is not a prefix of something kept."""
    text = task.text
    longest = max((_common_length(text, each) for each in kept), default=0)
    return 1.0 - longest / max(1, len(text))


def after_answer(kept: Sequence[str], task: Task, reply: str, capacity: int) -> list[str]:
    """What is kept after an answer: the conversation with its reply, most recent last, and as
    many others as fit."""
    text = task.text
    if task.prompt is None:
        text += f"<assistant>{reply}\n"
    others = [each for each in kept if not text.startswith(each)]
    return [*others, text][-capacity:]


def _common_length(one: str, other: str) -> int:
    # Bisected: comparing slices runs at memory speed, comparing characters does not.
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low
