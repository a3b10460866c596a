"""Judge a whole run by what its clients saw: the shape of Jepsen's total-queue checker, pure.

A history is what was attempted, what was acknowledged, and every entry that an observer read from
the reply streams, live and again at the end. The words (docs/behaviour.md):

- lost: acknowledged, and no final on the stream where its client waits;
- duplicated: more finals on one stream than the one that was asked for;
- unexpected: a final that nobody asked for;
- recovered: never acknowledged, and answered all the same (legal: the outcome was unknown);
- vanished: an entry that was seen live and is not there at the end: the store forgot;
- torn: the copies of one final differ, or one of them is missing;
- disordered: chunks out of order, of mixed attempts, after the final, or not the final's text;
- misheard: an HTTP client put another text together than the final's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orion_lab.entries import Asked, Entry, Heard, History, in_order

__all__ = ["Asked", "Entry", "Heard", "History", "Verdict", "in_order", "judge"]

LEAST_COMPLETED = 0.999
BROKEN = ("lost", "duplicated", "unexpected", "vanished", "torn", "disordered", "misheard")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The counts, and in words why the run failed; no reasons: it passed."""

    attempted: int
    acknowledged: int
    answered: int
    completed: int
    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    torn: tuple[str, ...] = ()
    disordered: tuple[str, ...] = ()
    misheard: tuple[str, ...] = ()
    statuses: Mapping[str, int] = field(default_factory=dict[str, int])
    chunks: int = 0
    reruns: int = 0
    least_completed: float = LEAST_COMPLETED

    @property
    def completed_share(self) -> float:
        """Completed among those accepted (acknowledged, or answered without); 1.0 of nothing."""
        accepted = self.acknowledged + len(self.recovered)
        return self.completed / accepted if accepted else 1.0

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the run failed, worst first."""
        found = [
            f"{len(ids)} {name}: {_some(ids)}" for name in BROKEN if (ids := getattr(self, name))
        ]
        if self.completed_share < self.least_completed:
            counts = ", ".join(f"{count} {name}" for name, count in sorted(self.statuses.items()))
            share = f"{self.completed_share:.2%} < {self.least_completed:.2%}"
            found.append(f"completed share {share} ({counts})")
        if not self.attempted:
            found.append("nothing was attempted: the run shows nothing")
        return tuple(found)

    @property
    def ok(self) -> bool:
        """Whether the run kept the promise."""
        return not self.reasons


def judge(history: History, *, least_completed: float = LEAST_COMPLETED) -> Verdict:
    """Weigh a history. The same entry seen live and at the end counts once."""
    asked = {each.request_id: each for each in history.asked}
    entries = list(dict.fromkeys((*history.end, *history.live)))
    finals: dict[str, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        if entry.kind == "final":
            finals[entry.request_id][entry.stream].append(entry)
    answered = {
        name: copies[each.reply]
        for name, each in asked.items()
        if (copies := finals.get(name)) and copies.get(each.reply)
    }
    acknowledged = {name for name, each in asked.items() if each.acknowledged}
    statuses = Counter(copies[0].status for copies in answered.values())
    disordered, reruns = _order(history, finals, asked)
    return Verdict(
        attempted=len(asked),
        acknowledged=len(acknowledged),
        answered=len(answered),
        completed=statuses["completed"],
        lost=_sorted(acknowledged - set(answered)),
        duplicated=_sorted(
            name for name, copies in finals.items() if any(len(c) > 1 for c in copies.values())
        ),
        unexpected=_sorted(set(finals) - set(asked)),
        recovered=_sorted(set(answered) - acknowledged),
        vanished=_sorted({each.request_id for each in set(history.live) - set(history.end)}),
        torn=_sorted(_torn(asked, finals)),
        disordered=_sorted(disordered),
        misheard=_sorted(
            name
            for name, text in history.heard
            if name in answered and answered[name][0].text != text
        ),
        statuses=dict(statuses),
        chunks=sum(1 for entry in entries if entry.kind == "chunk"),
        reruns=reruns,
        least_completed=least_completed,
    )


def _torn(
    asked: Mapping[str, Asked], finals: Mapping[str, Mapping[str, list[Entry]]]
) -> Iterable[str]:
    """Requests whose finals are not the same on every stream that carries one, or that are
    answered elsewhere while their client waits."""
    for name, copies in finals.items():
        said = {(each.attempt, each.status, each.text) for copy in copies.values() for each in copy}
        if len(said) > 1 or (name in asked and asked[name].reply not in copies):
            yield name


def _order(
    history: History,
    finals: Mapping[str, Mapping[str, list[Entry]]],
    asked: Mapping[str, Asked],
) -> tuple[list[str], int]:
    """Requests with a wrong sequence on some stream, and how many ran more than once."""
    by_place: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in history.end or history.live:
        by_place[entry.request_id, entry.stream].append(entry)
    wrong = [name for (name, _), seen in by_place.items() if not in_order(seen)]
    for name, each in asked.items():
        final = next(iter(finals.get(name, {}).get(each.reply, ())), None)
        seen = by_place.get((name, each.reply), [])
        if final and final.status == "completed" and each.streamed:
            text = "".join(e.text for e in seen if e.kind == "chunk" and e.attempt == final.attempt)
            if text != final.text:
                wrong.append(name)
    attempts = {name: max(f.attempt for c in s.values() for f in c) for name, s in finals.items()}
    return wrong, sum(1 for count in attempts.values() if count > 1)


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _some(names: Sequence[str], count: int = 3) -> str:
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")
