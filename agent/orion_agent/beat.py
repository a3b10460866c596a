"""The worker's sign of life, from a thread that no CPU work on the event loop can starve.

While the board holds work: every second, and it is missed after 4 s. Else every 5 s, missed after
15. Only while the event loop itself turned within the last 10 s: who hangs must not look alive.
Nothing that the store says may end the thread: a worker without one would go on unseen.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
from redis.exceptions import RedisError

from orion_contracts.spelling import text

BUSY_EVERY_S, BUSY_TTL_MS = 1.0, 4_000
IDLE_EVERY_S, IDLE_TTL_MS = 5.0, 15_000
LOOP_SILENT_S = 10.0
RETRY_S = 0.3
logger = logging.getLogger("orion.worker.beat")


class Beat:
    """Start it with `start` after the worker was enlisted."""

    def __init__(
        self,
        store: redis.Redis,
        node: str,
        incarnation: str,
        busy: Callable[[], bool],
        taken_over: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._node, self._incarnation = store, node, incarnation
        self._busy, self._taken_over, self._clock = busy, taken_over, clock
        self._wake = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)
        self._last_s = 0.0
        self._last_ttl_ms = 0
        self.tick_s = clock()
        """When the event loop last turned."""

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; returns at once."""
        self._end.set()
        self._wake.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread's end."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._store.close()

    def tick(self) -> None:
        """The event loop turns."""
        self.tick_s = self._clock()

    def poke(self) -> None:
        """Work arrived: its dispatch shortened the board's liveness to 4 s."""
        self._wake.set()

    def _run(self) -> None:
        told = ""
        while not self._end.is_set():
            try:
                ok = self.beat()
            except Exception as error:
                if told != (told := repr(error)):
                    logger.exception("the beat failed; it goes on")
                ok = False
            if not ok:
                self._end.wait(RETRY_S)
                continue
            # After work the long liveness is set at once: the short one would lapse in the pause.
            idle = not self._busy() and self._last_ttl_ms == IDLE_TTL_MS
            if idle and self._wake.wait(IDLE_EVERY_S):
                self._wake.clear()
            left_s = self._last_s + BUSY_EVERY_S - self._clock()
            self._end.wait(max(left_s, 0))

    def beat(self) -> bool:
        """One beat; whether the store took it (or none was due to it)."""
        now = self._clock()
        if now - self.tick_s > LOOP_SILENT_S:
            logger.error("the event loop has not turned for %.0f s", now - self.tick_s)
            return False
        ttl_ms = BUSY_TTL_MS if self._busy() else IDLE_TTL_MS
        store: Any = self._store
        try:
            said = store.execute_command(
                "FCALL", "orion_beat", 0, self._node, self._incarnation, ttl_ms
            )
        except (RedisError, OSError) as error:
            logger.debug("no beat: %s", error)
            return False
        self._last_s, self._last_ttl_ms = now, ttl_ms
        if said not in (b"OK", "OK"):
            # Told before the end: if telling fails, it is tried again.
            self._taken_over(text(said))
            self.stop()
        return True
