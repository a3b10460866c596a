"""What one chaos run showed, and the table that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from orion_lab.history import BROKEN, Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict over the histories, beside what the run really did. `left`: what a drained
    ledger still holds; `told`: what its records remember; `wanted`: the harm that was planned."""

    verdict: Verdict
    left: Mapping[str, int]
    harm: Counter[str]
    clients: Counter[str]
    told: Counter[str]
    wanted: Counter[str]
    seconds: float
    seed: int
    store: str
    title: str = ""
    ended: tuple[str, ...] = ()
    """Processes that ended although nobody ended them."""

    @property
    def broken(self) -> bool:
        """Whether the histories show a broken promise; a low completed share alone is none."""
        return any(getattr(self.verdict, name) for name in BROKEN)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the run failed: the histories, what was left behind, or too little harm."""
        found = list(self.verdict.reasons)
        left = ", ".join(f"{count} {name}" for name, count in self.left.items() if count)
        if left:
            found.append(f"left behind: {left}")
        found += [
            f"only {self.harm[name]} of {count} {name}"
            for name, count in self.wanted.items()
            if self.harm[name] < count
        ]
        if self.ended:
            found.append(f"ended by themselves: {', '.join(self.ended)}")
        if not self.told["requests run again"]:
            found.append("no request ran twice: the harm met nobody")
        return tuple(found)


def print_outcome(outcome: Outcome) -> None:
    """The table."""
    verdict = outcome.verdict
    rows: list[tuple[str, object]] = [
        ("store", outcome.store),
        ("seed, seconds", f"{outcome.seed}, {outcome.seconds:.0f}"),
        ("attempted / acknowledged", f"{verdict.attempted} / {verdict.acknowledged}"),
        *((name, len(getattr(verdict, name))) for name in BROKEN),
        ("recovered", len(verdict.recovered)),
        ("completed", f"{verdict.completed} ({verdict.completed_share:.2%})"),
        ("finals by status", _counts(verdict.statuses)),
        ("chunks checked", verdict.chunks),
        ("harm done", _counts(outcome.harm)),
        ("requests run again", outcome.told["requests run again"]),
        (
            "crashes / losses / most attempts",
            f"{outcome.told['crashes']} / {outcome.told['losses']} / "
            f"{outcome.told['most attempts']}",
        ),
        ("left in the ledger", _left(outcome)),
        ("clients", _counts(outcome.clients)),
    ]
    print(f"\n== {outcome.title}")
    for name, value in rows:
        print(f"  {name:<34} {value}")
    for reason in outcome.reasons:
        print(f"  FAILED: {reason}")
    print(f"  => {'FAILED' if outcome.reasons else 'passed'}\n", flush=True)


def _left(outcome: Outcome) -> str:
    if not outcome.left:
        return "not looked at: cut short at the first broken promise"
    return _counts({name: count for name, count in outcome.left.items() if count}) or "nothing"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.strip()} {count}" for name, count in sorted(counts.items()))
