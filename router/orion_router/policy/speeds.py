"""How fast a board is with a model: learned figures, and rules of thumb until there are any (pure).

Writing a token reads the whole model once, so the memory's bandwidth over the file's size is the
rate; prompt tokens are read in batches, several times as fast. Both were measured on Raspberry Pi
5 boards; the first finished request replaces them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MEMORY_BYTES_PER_S = 9e9
PREFILL_PER_DECODE = 7.0
STORAGE_BYTES_PER_S = 72e6
"""An SD card: the slowest that is common. Set `storage` of a board that has an SSD."""
LOAD_FIXED_S = 0.5
PAGE_CACHE_BYTES_PER_S = 4e9
LEAST, MOST = 1e-6, 1e9
"""No board's rate or load time is beyond these: such a figure is left out, or sums of it would make
every estimate infinite."""
UNKNOWN_BYTES = 1_000_000_000
"""Size of a model whose file nobody has listed."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Figures of one (node, model); None: not known yet."""

    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    load_s: float | None = None
    """From the disk."""
    warm_load_s: float | None = None
    """From the page cache."""


NOTHING = Learned()


@dataclass(frozen=True, slots=True)
class Speed:
    """What the policy reckons with for one (node, model)."""

    prefill_s_per_token: float
    decode_s_per_token: float
    load_s: float


def speed(
    size_bytes: int, storage_bytes_per_s: float | None, *figures: Learned, warm: bool = False
) -> Speed:
    """The first figure that is known counts; else the rule of thumb for a file of this size.
    `warm`: the file is in the page cache."""
    size = size_bytes or UNKNOWN_BYTES
    decode = _first(figures, "decode_tokens_per_s") or MEMORY_BYTES_PER_S / size
    prefill = _first(figures, "prefill_tokens_per_s") or decode * PREFILL_PER_DECODE
    load_s = _first(figures, "warm_load_s" if warm else "load_s")
    if load_s is None:
        rate = PAGE_CACHE_BYTES_PER_S if warm else storage_bytes_per_s or STORAGE_BYTES_PER_S
        load_s = LOAD_FIXED_S + size / rate
    return Speed(1.0 / prefill, 1.0 / decode, load_s)


def _first(figures: tuple[Learned, ...], name: str) -> float | None:
    for each in figures:
        value: float | None = getattr(each, name)
        if value is not None and _is_possible(value):
            return value
    return None


def _is_possible(figure: float) -> bool:
    return LEAST < figure < MOST


def reported(rates: Mapping[str, Mapping[str, float]] | None, model: str) -> Learned:
    """A board's own figures, as its health report carries them."""
    own = (rates or {}).get(model)
    if not own:
        return NOTHING
    names = ("prefill_tokens_per_second", "decode_tokens_per_second", "load_s")
    figures = (own.get(name) for name in names)
    return Learned(*(each if each is not None and _is_possible(each) else None for each in figures))
