"""What stands in the way of a loop that must not end: said once, and once that it is over."""

from __future__ import annotations

import logging


class Trouble:
    """One loop's. Anybody may write to the store; nothing there may end the loop."""

    def __init__(self, log: logging.Logger, loop: str) -> None:
        self._log, self._loop = log, loop
        self._said = ""

    def note(self, error: Exception) -> None:
        """An error that nobody expected: logged with its trace, unless it is the last one again."""
        if self._said != (said := repr(error)):
            self._log.error("%s: trying again after %s", self._loop, said, exc_info=error)
            self._said = said

    def over(self) -> None:
        """A round went well."""
        if self._said:
            self._log.info("%s: goes on", self._loop)
            self._said = ""
