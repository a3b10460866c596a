"""What a person is told when a command cannot do its work: what happened, and the remedy."""

from __future__ import annotations

FAILED = 1
USAGE = 2
UNREACHABLE = 3
TIMED_OUT = 4
REJECTED = 5
CANCELLED = 6
INTERRUPTED = 130


class Problem(Exception):
    """Ends a command: `text` says what happened, `remedy` what to do, `code` is the exit code."""

    def __init__(self, text: str, remedy: str = "", code: int = FAILED) -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy
        self.code = code
