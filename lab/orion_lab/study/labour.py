"""Running the missing cells on a few processes, with a line that says how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed

from orion_lab.study.cells import Cell
from orion_lab.study.saved import Saved
from orion_lab.study.work import perform

SAY_EVERY_S = 10.0


def complete(saved: Saved, cells: Iterable[Cell], processes: int = 2) -> float:
    """Run what is missing; the seconds it took. Interrupted, it goes on where it was."""
    began_s = time.monotonic()
    missing = saved.missing(cells)
    if not missing:
        return 0.0
    progress = _Progress(len(missing))
    with ProcessPoolExecutor(processes) as pool:
        waiting = {pool.submit(perform, cell): cell for cell in missing}
        try:
            for done in as_completed(waiting):
                saved.add(waiting[done], done.result())
                progress.step(str(waiting[done].group))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    progress.end()
    return time.monotonic() - began_s


class _Progress:
    """On standard error: one line, rewritten, on a terminal; a line now and then elsewhere."""

    def __init__(self, count: int) -> None:
        self._count, self._done = count, 0
        self._began_s = self._said_s = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def step(self, what: str) -> None:
        """One more."""
        self._done += 1
        now_s = time.monotonic()
        if now_s - self._said_s < (0.2 if self._terminal else SAY_EVERY_S):
            return
        self._said_s = now_s
        left_s = (now_s - self._began_s) / self._done * (self._count - self._done)
        text = f"{self._done} of {self._count} runs, about {left_s:.0f} s left ({what})"
        if self._terminal:
            sys.stderr.write(f"\r\033[K{text[:78]}")
        else:
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the terminal clean."""
        if self._terminal:
            sys.stderr.write("\r\033[K")
