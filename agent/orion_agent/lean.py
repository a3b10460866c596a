"""A worker shares its board with a language model: what it need not hold, it does not hold."""

from __future__ import annotations

import gc
import sys
from typing import Any, cast


def lighten() -> None:
    """Before anything imports httpx: leave out its command line, as it does by itself where rich or
    pygments are missing."""
    sys.modules.setdefault("httpx._main", cast(Any, None))


def trim() -> None:
    """Give back what only the start needed; what is left will not be collected again."""
    gc.collect()
    gc.freeze()
    import psutil

    if (heap_trim := getattr(psutil, "heap_trim", None)) is not None:
        heap_trim()
