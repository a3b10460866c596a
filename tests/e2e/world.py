"""Where the tests run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MODEL = "smollm2:135m"


@dataclass(frozen=True)
class World:
    """Images that the nodes have, and values that name them."""

    image: str
    values: tuple[Path, ...]
    node: str
    """A node that really runs pods."""
    model: str = MODEL
