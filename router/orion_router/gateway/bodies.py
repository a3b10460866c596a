"""The bytes of all request bodies that are open, under one bound.

A body counts from its first byte until its request is in the ledger's hands. Bodies are refused,
not made to wait: whoever waits would hold what it has sent so far.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final

from orion_router.gateway.faults import GatewayError

MOST_BYTES: Final = 64 * 1024 * 1024
LARGE_BYTES: Final = 256 * 1024
"""Larger bodies are parsed in a thread, and leave a quarter of the bound to the small ones."""
PIECE_BYTES: Final = 64 * 1024
RETRY_S: Final = 5


def too_large(most_bytes: int) -> GatewayError:
    """The refusal of a body that no time and no room would make acceptable."""
    return GatewayError(413, f"the body is larger than the {most_bytes} bytes allowed", "too_large")


class Bodies:
    """One per router. `held`: bytes that count now."""

    __slots__ = ("_most", "held")

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self.held = 0

    def open(self, most_bytes: int, announced: bytes = b"") -> Body:
        """A body about to come. `announced`: its content-length; one that is larger than any may
        be, or for which there is no room, is refused before it is sent. Announcing takes no room.
        Raises GatewayError (413, 503)."""
        body = Body(self)
        if announced.isdigit() and len(announced) < 19:
            size = int(announced)
            if size > most_bytes:
                raise too_large(most_bytes)  # waiting would not help it
            self.check(size, size)
        return body

    def check(self, size: int, more: int) -> None:
        """Whether a body of `size` may take `more` bytes. Raises GatewayError (503)."""
        room = self._most if size <= LARGE_BYTES else self._most - self._most // 4
        if self.held + more > room:
            raise GatewayError(
                503,
                f"the bodies of open requests hold {self.held} bytes; at most {room} are allowed "
                "at a time; ask again",
                "too_many_bytes",
                RETRY_S,
            )


class Body:
    """One request's body; its bytes count until it is released, at the latest by its block."""

    __slots__ = ("_all", "_parts", "_tail", "size")

    def __init__(self, bodies: Bodies) -> None:
        self._all = bodies
        self._parts: list[bytes] = []
        self._tail = bytearray()
        self.size = 0

    def __enter__(self) -> Body:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """It is not needed any more, and counts no more; also before the block's end."""
        self._parts, self._tail = [], bytearray()
        self._all.held -= self.size
        self.size = 0

    def add(self, part: bytes) -> None:
        """The next part. Raises GatewayError (503) when there is no room for it."""
        more = len(part)
        size = self.size + more
        self._all.check(size, more)
        self._all.held += more
        self.size = size
        if not self._tail and (more >= PIECE_BYTES or not self._parts):
            self._parts.append(part)
            return
        self._tail += part  # a list of tiny parts would be many times as large
        if len(self._tail) >= PIECE_BYTES:
            self._seal()

    @property
    def large(self) -> bool:
        """Whether working on it takes long enough to keep others waiting."""
        return self.size > LARGE_BYTES

    def take(self) -> bytes:
        """All of it, once; it is not kept here, though it still counts."""
        if self._tail:
            self._seal()
        parts, self._parts = self._parts, []
        return b"".join(parts)

    def _seal(self) -> None:
        self._parts.append(bytes(self._tail))
        self._tail.clear()
