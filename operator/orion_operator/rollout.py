"""Which worker is replaced next, so that no two boards are away at once (pure).

Each class of boards has a DaemonSet of its own, and DaemonSets know nothing of each other: with
Kubernetes' own rolling update every class takes a board away at the same time, which with one
board per class is the whole fleet. So theirs wait (`OnDelete`), and the operator goes from board
to board.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from orion_operator.daemons import RevisionFacts, SetFacts
from orion_operator.pods import PodFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Where the replacement stands. `updated`: boards that serve with the newest worker, of `total`
    living ones. `next`: the pod to be replaced now; `waits`: what is waited for; both empty: every
    worker is of the newest template."""

    total: int = 0
    updated: int = 0
    next: PodFacts | None = None
    waits: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to be replaced or waited for."""
        return self.next is None and not self.waits


NOTHING_TO_REPLACE = Rollout()


def decide(
    sets: Iterable[SetFacts],
    revisions: Iterable[RevisionFacts],
    pods: Iterable[PodFacts],
    alive: Collection[str],
    under_way: bool = True,
) -> Rollout:
    """One step. `alive`: nodes that are Ready. `under_way`: an update was going on a step ago: it
    ends when every worker serves; without one, a worker that restarts is no update.

    Of the stale workers one that does not serve goes first, so that a version that cannot start is
    replaced by one that can. All others have to serve meanwhile. A board that is away holds up
    nobody, unless it went away with what this update brought it: that may be why.
    """
    ours = {s.name: s for s in sets if s.ours}
    newest = _newest(revisions)
    everyone = sorted(pods, key=lambda p: (p.ready, p.node, p.name))
    workers = [p for p in everyone if p.set in ours]
    here = [p for p in workers if p.node in alive]
    stale = [p for p in here if _is_stale(p, ours[p.set], newest)]
    old = {p.name for p in stale}
    current = [p for p in here if p.name not in old]
    fresh = [p for p in current if p.ready and not p.ending]
    total, updated = len({p.node for p in here}), len({p.node for p in fresh})
    if not stale and not under_way and all(s.settled for s in ours.values()):
        return Rollout(total=total, updated=total)
    leaving = [p for p in everyone if p.worker and p.ending and p.node in alive]
    waits = (
        _unsettled(ours.values(), workers, alive)
        or _on_its_way(leaving, current)
        or _fallen(workers, alive, stale, newest)
    )
    return Rollout(
        total=total, updated=updated, waits=waits, next=stale[0] if stale and not waits else None
    )


def _newest(revisions: Iterable[RevisionFacts]) -> dict[str, RevisionFacts]:
    """DaemonSets to the revision in force."""
    return {r.set: r for r in sorted(revisions, key=lambda r: r.number) if r.set}


def _is_stale(pod: PodFacts, of: SetFacts, newest: Mapping[str, RevisionFacts]) -> bool:
    """Also by the word of the set's controller: a revision that was deleted unseen is no reason."""
    known = newest.get(of.name)
    return (
        known is not None
        and pod.revision != known.revision
        and not pod.ending
        and of.updated < of.desired
    )


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


def _on_its_way(leaving: Iterable[PodFacts], staying: Iterable[PodFacts]) -> str:
    for pod in leaving:
        return f"{pod.name} on {pod.node} to end"
    for pod in staying:
        if not pod.ready:
            return f"{pod.name} on {pod.node} to be ready (kubectl describe pod {pod.name})"
    return ""


def _fallen(
    workers: Iterable[PodFacts],
    alive: Collection[str],
    stale: Collection[PodFacts],
    newest: Mapping[str, RevisionFacts],
) -> str:
    """A board that went away after this update gave it its worker."""
    if not stale:
        return ""
    began = min(newest[p.set].created for p in stale)
    for pod in workers:
        known = newest.get(pod.set)
        is_newest = known is not None and pod.revision == known.revision
        if is_newest and pod.node not in alive and pod.created >= began:
            return (
                f"{pod.node}, which went away with the newest worker: bring it back, or "
                f"kubectl delete node {pod.node}"
            )
    return ""
