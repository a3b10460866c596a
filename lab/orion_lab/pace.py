"""Making tokens take the time they take on a board."""

import asyncio


class Pace:
    """Waits until each piece of work would be done. Being late once (a slow engine, a busy
    machine) is made up for at most one piece, not by a burst of all that is overdue."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._due_s = self._now()

    async def spend(self, wall_s: float) -> None:
        """Let the work of `wall_s` seconds be done; zero only lets others run."""
        if wall_s <= 0:
            await asyncio.sleep(0)
            return
        now = self._now()
        self._due_s = max(self._due_s, now - wall_s) + wall_s
        await asyncio.sleep(max(0.0, self._due_s - now))
