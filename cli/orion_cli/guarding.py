"""This side of the guard: starts it, and tells it which processes to end should this one die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import IO


class Guard:
    """Ends the other processes should this one die without a word (see guard.py)."""

    def __init__(self) -> None:
        self._input: IO[str] | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def start(self) -> None:
        """Start it on a pipe of ours."""
        script = str(Path(__file__).with_name("guard.py"))
        if self._input is not None:
            self._input.close()
        read_end, write_end = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", script),
                stdin=read_end,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(read_end)
        self._input = os.fdopen(write_end, "w", buffering=1)

    def tell(self, sign: str, pid: int) -> None:
        """`+`: watch this process; `-`: it is gone."""
        if self._input is not None:
            with contextlib.suppress(OSError):
                self._input.write(f"{sign}{pid}\n")

    async def wait(self) -> None:
        """Return when it has ended."""
        if self._process is not None:
            await self._process.wait()

    async def stop(self) -> None:
        """Close the pipe: it ends what is left, then itself."""
        if self._input is not None and self._process is not None:
            with contextlib.suppress(OSError):
                self._input.close()
            await self._process.wait()
