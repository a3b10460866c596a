"""Names and words from the store as text, and back. Anybody may have written there: strange bytes
become U+FFFD, so that one of them never stops whoever reads a hundred others."""

from __future__ import annotations


def text(value: object) -> str:
    """The value as text, whatever its bytes are."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def whole(raw: bytes, most_bytes: int) -> bytes:
    """The beginning of `raw` as UTF-8 that ends with a whole character."""
    spelled = text(raw[:most_bytes])
    if len(raw) > most_bytes and spelled.endswith("\ufffd"):
        spelled = spelled[:-1]  # the character that was cut, not one of the strange bytes
    return spelled.encode()[:most_bytes].decode(errors="ignore").encode()


def reason_bytes(why: str) -> bytes:
    """At most 200 characters of an error's text; an engine may put lone surrogates into it."""
    return why[:200].encode("utf-8", "replace")
