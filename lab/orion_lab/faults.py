"""Faults a test can switch on, and how they are taken by requests."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong. The first group happens to requests, the second to pulls, the third to the
    board.

    Counts are in tokens, times in wall-clock units whatever the board's speed; where a pull stalls
    or is cut is a share of each file.
    """

    hang_before_first: bool = False
    hang_after_tokens: int | None = None
    status: int | None = None
    cut_after_tokens: int | None = None
    end_without_done_after: int | None = None
    error_mid_stream: int | None = None
    crash_on_prompt_containing: str | None = None
    crash_kind: str = "runner"
    token_delay_ms: float = 0.0
    salt: str = ""

    pull_error: str | None = None
    pull_stall_at: float | None = None
    pull_cut_at: float | None = None

    temperature_c: float | None = None
    used_ram_percent: float | None = None
    load_delay_s: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether requests go through untouched."""
        return self == replace(
            NO_FAULT,
            pull_error=self.pull_error,
            pull_stall_at=self.pull_stall_at,
            pull_cut_at=self.pull_cut_at,
            temperature_c=self.temperature_c,
            used_ram_percent=self.used_ram_percent,
            load_delay_s=self.load_delay_s,
        )


NO_FAULT = Fault()
_NAMES = {entry.name for entry in fields(Fault)}


def changed(fault: Fault, values: Mapping[str, Any]) -> Fault:
    """The fault with some fields replaced.

    Raises:
        ValueError: an unknown field, named.
    """
    unknown = set(values) - _NAMES
    if unknown:
        raise ValueError(f"unknown faults: {', '.join(sorted(unknown))}")
    given = dict(values)
    if given.get("error_mid_stream") is True:
        given["error_mid_stream"] = 1
    elif given.get("error_mid_stream") is False:
        given["error_mid_stream"] = None
    if given.get("crash_kind", "runner") not in ("runner", "process"):
        raise ValueError("crash_kind is runner or process")
    return replace(fault, **given)


class FaultBox:
    """The faults in force. `count` bounds how many requests meet them; then they are gone."""

    def __init__(self) -> None:
        self.now = NO_FAULT
        self._left: int | None = None
        self._plain = True
        self.reset_event = asyncio.Event()

    def set(self, values: Mapping[str, Any]) -> None:
        """Switch faults on, leaving those not named as they are.

        Raises:
            ValueError: an unknown field.
        """
        given = dict(values)
        count = given.pop("count", None)
        self.now = changed(self.now, given)
        self._plain = self.now.is_plain
        self._left = None if count is None else int(count)

    def reset(self) -> None:
        """Switch everything off and let go of whoever hangs."""
        self.now, self._left, self._plain = NO_FAULT, None, True
        self.reset_event.set()
        self.reset_event = asyncio.Event()

    def take(self) -> Fault | None:
        """The fault for one request, or None if it goes through untouched."""
        if self._plain or self._left == 0:
            return None
        if self._left is not None:
            self._left -= 1
        return self.now

    async def hang(self) -> None:
        """Do nothing until the faults are reset (or the caller is cancelled)."""
        await self.reset_event.wait()

    def as_json(self) -> dict[str, object]:
        """The fields that differ from "no fault", and what is left of `count`."""
        values = {name: getattr(self.now, name) for name in _NAMES}
        active = {key: value for key, value in values.items() if value != getattr(NO_FAULT, key)}
        return active if self._left is None else {**active, "count": self._left}
