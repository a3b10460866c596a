"""Which worker is replaced next, so that no two boards are away at once (pure).

Each class of boards has a DaemonSet of its own, and DaemonSets know nothing of each other: with
Kubernetes' own rolling update every class takes a board away at the same time, which with one
board per class is the whole fleet. So theirs wait (`OnDelete`), and the operator goes from board
to board.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from orion_operator.daemons import RevisionFacts, SetFacts
from orion_operator.pods import PodFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Where the replacement stands. `next`: the pod to be replaced now; `waits`: what for, where
    nothing may be replaced now; both empty: every worker is of the newest template."""

    total: int = 0
    updated: int = 0
    next: PodFacts | None = None
    waits: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to be replaced."""
        return self.updated == self.total


NOTHING_TO_REPLACE = Rollout()


def decide(
    sets: Iterable[SetFacts],
    revisions: Iterable[RevisionFacts],
    pods: Iterable[PodFacts],
    alive: Collection[str],
) -> Rollout:
    """One step. `alive`: nodes that are Ready; a board that is away holds up no other.

    A worker that does not serve anyhow goes first, whatever the others do: so a version that
    cannot start is replaced by one that can. One that serves is replaced when all others serve.
    """
    ours = {s.name: s for s in sets if s.ours}
    newest = _newest(revisions)
    workers = sorted((p for p in pods if p.set in ours), key=lambda p: (p.ready, p.node, p.name))
    here = [p for p in workers if p.node in alive]
    stale = [p for p in here if not p.ending and p.revision != newest.get(p.set, p.revision)]
    total, updated = len(here), len(here) - len(stale)
    if not stale:
        return Rollout(total=total, updated=updated)
    waits = _unsettled(ours.values(), workers, alive) or _on_its_way(here, stale)
    if waits:
        return Rollout(total=total, updated=updated, waits=waits)
    return Rollout(total=total, updated=updated, next=stale[0])


def _newest(revisions: Iterable[RevisionFacts]) -> dict[str, str]:
    """DaemonSets to the revision in force."""
    return {r.set: r.revision for r in sorted(revisions, key=lambda r: r.number) if r.set}


def _unsettled(
    sets: Iterable[SetFacts], workers: Collection[PodFacts], alive: Collection[str]
) -> str:
    for each in sets:
        own = [p for p in workers if p.set == each.name]
        if not each.settled:
            return f"DaemonSet {each.name} to be looked at by its controller"
        if sum(not p.ending or p.node not in alive for p in own) < each.desired:
            return f"a board of DaemonSet {each.name} to get its worker"
        if each.available < sum(p.ready for p in own):
            return f"the newest worker of DaemonSet {each.name} to have been ready for a while"
    return ""


def _on_its_way(here: Iterable[PodFacts], stale: Collection[PodFacts]) -> str:
    for pod in here:
        if pod.ending:
            return f"{pod.name} on {pod.node} to end"
        if not pod.ready and pod not in stale:
            return f"{pod.name} on {pod.node} to be ready (kubectl describe pod {pod.name})"
    return ""
