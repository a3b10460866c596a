"""A steady load and its observer in a thread of their own, while the main thread does harm."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from orion_lab.trials.asking import Asker, Notes, Question
from orion_lab.trials.observe import Observer


class Pressure:
    """Asks all questions at `rate_per_s`, never more than `most_open` unanswered.

    A context manager: leaving it ends whatever is still under way.
    """

    def __init__(
        self,
        store_url: str,
        urls: Sequence[str],
        questions: Sequence[Question],
        *,
        rate_per_s: float,
        most_open: int = 150,
    ) -> None:
        self.notes = Notes()
        self.questions = questions
        self.asking_done = threading.Event()
        self.drained = threading.Event()
        self.error: BaseException | None = None
        self.observer = Observer(store_url)
        self._store_url = store_url
        self._urls = urls
        self._interval_s = 1.0 / rate_per_s
        self._most_open = most_open
        self._thread = threading.Thread(target=self._main, name="pressure", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20.0)

    @property
    def open(self) -> int:
        """Requests asked for and not answered yet."""
        return len(self.notes.asked) - len(self.observer.answered)

    @property
    def hopeless(self) -> int:
        """Requests that were never acknowledged, whose clients gave up, and not answered either:
        they never arrived, so nobody waits for them."""
        answered = self.observer.answered
        return sum(
            1
            for name, asked in list(self.notes.asked.items())
            if not asked.acknowledged and name not in answered
        )

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # told to the main thread, which asks for it
            self.error = error
            self.asking_done.set()
            self.drained.set()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        asker = Asker(self._store_url, self._urls, self.notes)
        watching = asyncio.create_task(self.observer.run(), name="observer")
        asking = asyncio.create_task(self._ask_all(asker), name="asking")
        stopping = asyncio.create_task(self._stop.wait(), name="stopping")
        try:
            done, _ = await asyncio.wait(
                {watching, asking, stopping}, return_when=asyncio.FIRST_COMPLETED
            )
            if watching in done:
                await watching
            if asking in done:
                await asking
                self.drained.set()
                await stopping
        finally:
            for task in (asking, stopping, watching):
                task.cancel()
            await asyncio.gather(asking, stopping, watching, return_exceptions=True)
            await asker.close()

    async def _ask_all(self, asker: Asker) -> None:
        clients: set[asyncio.Task[None]] = set()
        began_s = time.monotonic()
        try:
            for number, question in enumerate(self.questions):
                # On time by the schedule: what a stall held up is asked as soon as there is room.
                due_s = began_s + number * self._interval_s
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                while self.open >= self._most_open:
                    await self.observer.next_answer()
                self.observer.watch(question.reply, question.request_id)
                task = asyncio.create_task(asker.ask(question), name=question.request_id)
                clients.add(task)
                task.add_done_callback(clients.discard)
            self.asking_done.set()
            await asyncio.gather(*clients)
        finally:
            for task in clients:
                task.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
