"""The two consoles: answers go to standard output, everything said about them to standard error.

Rich leaves colours out when the output is no terminal or NO_COLOR is set.
"""

from __future__ import annotations

import os
import unicodedata

from rich.console import Console

PIPED_COLUMNS = 160
"""A pipe has no width: wide enough that a table keeps one line for each row."""


def console(*, stderr: bool = False) -> Console:
    """A console that never guesses at colours inside of texts."""
    made = Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPED_COLUMNS
    return made


def printable(text: str) -> str:
    """Text from elsewhere without control characters that would steer the terminal."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
