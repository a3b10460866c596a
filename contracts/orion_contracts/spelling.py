"""Names and words from the store as text. Anybody may have written there: strange bytes become
U+FFFD, so that one of them never stops whoever reads a hundred others."""

from __future__ import annotations


def text(value: object) -> str:
    """The value as text, whatever its bytes are."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
