"""How large a request may be, and the flags that say so: the same for routers and workers.

Imports no schema: `--help` has to be quick.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from orion_contracts.flags import Flags, bounded_int


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes of UTF-8, counts as they are."""

    body_bytes: int = 10 * 1024 * 1024
    text_bytes: int = 256 * 1024
    messages: int = 1024
    model_chars: int = 200
    depth: int = 32


DEFAULT_LIMITS = Limits()
_SIZE = bounded_int(1024, 1024**3)


def add_limit_flags(flags: Flags) -> None:
    """Add the flags that limit what a producer or client may send."""
    flags.add(
        "--max-body-bytes",
        "largest body of a request, over HTTP or in a stream's entry",
        DEFAULT_LIMITS.body_bytes,
        _SIZE,
    )
    flags.add(
        "--max-prompt-bytes",
        "largest text of one request, all messages together",
        DEFAULT_LIMITS.text_bytes,
        _SIZE,
    )


def read_limits(values: argparse.Namespace) -> Limits:
    """The limits that the flags gave."""
    return Limits(body_bytes=values.max_body_bytes, text_bytes=values.max_prompt_bytes)
