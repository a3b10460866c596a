"""The processes of `orion up`: started, known to be ready, stopped, quoted when they fail."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from orion_cli.child import TAIL_BYTES, ChildFailed, describe, tail
from orion_lab.stores import StoreError, StoreProcess

READY_WITHIN_S = 20.0
LAST_GRACE_S = 2.0
KEEP_LOG_BYTES = 5_000_000


def clean_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Without our own variables: each process gets exactly the flags meant for it."""
    return {k: v for k, v in environ.items() if not k.startswith("ORION_")}


class PythonChild:
    """A Python program of ours. `ready` is asked until it says yes, with what was logged so far."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        ready: Callable[[str], Awaitable[bool]],
    ) -> None:
        self.name = name
        self.log = log
        self._arguments = tuple(arguments)
        self._ready = ready
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        if self.log.exists() and self.log.stat().st_size > KEEP_LOG_BYTES:
            os.replace(self.log, self.log.with_suffix(".log.1"))
        with self.log.open("ab") as out:
            begin = out.tell()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=clean_environment(),
                start_new_session=True,  # Ctrl-C is for `orion up`, which stops them in order
            )
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while not await self._ready(self._said(begin)):
                    if self._process.returncode is not None:
                        raise ChildFailed(
                            f"{self.name} ended at once ({describe(self._process.returncode)}); "
                            f"{self.log} ends with:\n{tail(self.log)}"
                        )
                    await asyncio.sleep(0.05)
        except TimeoutError:
            self.kill()
            raise ChildFailed(
                f"{self.name} was not ready after {READY_WITHIN_S:.0f} s; "
                f"{self.log} ends with:\n{tail(self.log)}"
            ) from None
        except BaseException:
            self.kill()
            raise

    async def wait(self) -> int:
        """Its exit status, once it has ended."""
        return await self._process.wait() if self._process else 0

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, after the grace another one ("now"), and SIGKILL."""
        if self._process is None or self.pid is None:
            return
        for pause_s in (grace_s, LAST_GRACE_S):
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), pause_s)
                return
        self.kill()
        await self._process.wait()

    def kill(self) -> None:
        """SIGKILL, now."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _said(self, begin: int) -> str:
        with self.log.open("rb") as file:
            file.seek(begin)
            return file.read(TAIL_BYTES).decode(errors="replace")


class StoreChild:
    """The store: a real Valkey, its data kept from run to run."""

    name = "store"

    def __init__(self, store: StoreProcess) -> None:
        self._store = store
        self.log = store.log

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._store.pid

    async def start(self) -> None:
        """Start it; it is ready when it answers with its data loaded."""
        try:
            await asyncio.to_thread(self._store.start)
        except (StoreError, OSError) as error:
            raise ChildFailed(f"the store did not start: {error}") from error

    async def wait(self) -> int:
        """0 when it no longer runs: how it ended is not known."""
        while self._store.pid is not None:  # noqa: ASYNC110 - a process has no event to wait on
            await asyncio.sleep(0.05)
        return 0

    async def stop(self, grace_s: float) -> None:
        """Orderly, so that everything is on the disk."""
        await asyncio.to_thread(self._store.stop, grace_s)

    def kill(self) -> None:
        """SIGKILL, now: the append-only file has everything that was answered."""
        self._store.kill()
