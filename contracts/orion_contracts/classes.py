"""Node classes by memory: which board does what (pure)."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class NodeClass:
    """A class of boards. `min_memory_bytes` compares with what the kernel reports, which is less
    than what is printed on the box: an "8 GB" board reports about 7.6 GiB."""

    name: str
    min_memory_bytes: int
    roles: tuple[str, ...]
    slots: int = 1


DEFAULT_CLASSES = (
    NodeClass("16gb", 12 * GIB, ("router", "worker")),
    NodeClass("8gb", 6 * GIB, ("worker",)),
    NodeClass("excluded", 0, ()),
)


def classify(memory_bytes: int, classes: tuple[NodeClass, ...] = DEFAULT_CLASSES) -> NodeClass:
    """The class with the largest `min_memory_bytes` that the board reaches."""
    reached = [c for c in classes if memory_bytes >= c.min_memory_bytes]
    return max(reached, key=lambda c: c.min_memory_bytes)
