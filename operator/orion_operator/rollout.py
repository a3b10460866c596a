"""Which worker is replaced next, so that no two boards are away at once (pure).

Each class of boards has a DaemonSet of its own, and DaemonSets know nothing of each other: with
Kubernetes' own rolling update every class takes a board away at the same time, which with one
board per class is the whole fleet. So theirs wait (`OnDelete`), and the operator goes from board
to board.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orion_operator.daemons import RevisionFacts, SetFacts
from orion_operator.nodes import NodeFacts
from orion_operator.pods import PodFacts

FELL_S = 600.0
"""A board that goes away so soon after it got a new worker may have been taken down by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Where the replacement stands. `updated`: boards that serve with the newest worker, of `total`
    living ones. `next`: the pod to be replaced now; `waits`: what is waited for; both empty: every
    worker is of the newest template, but for those on boards that are `away`."""

    total: int = 0
    updated: int = 0
    next: PodFacts | None = None
    waits: str = ""
    away: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether nothing is left to be replaced or waited for."""
        return self.next is None and not self.waits


NOTHING_TO_REPLACE = Rollout()


def decide(
    sets: Iterable[SetFacts],
    revisions: Iterable[RevisionFacts],
    pods: Iterable[PodFacts],
    nodes: Mapping[str, NodeFacts],
    under_way: bool = True,
) -> Rollout:
    """One step. `under_way`: an update was going on a step ago: it ends when every worker serves;
    without one, a worker that restarts is no update.

    Of the stale workers one that does not serve goes first, so that a version that cannot start is
    replaced by one that can. All others have to serve meanwhile. A board that is away holds up
    nobody, unless it went away soon after it got the newest worker: that may be why.
    """
    ours = {s.name: s for s in sets if s.ours}
    everyone = sorted(pods, key=lambda p: (p.ready, p.node, p.name))
    fleets = [Fleet.of(each, everyone, revisions, nodes) for each in ours.values()]
    here = sorted((p for f in fleets for p in f.here), key=lambda p: (p.ready, p.node, p.name))
    stale = [p for p in here if not p.ending and any(f.is_stale(p) for f in fleets)]
    old = {p.name for p in stale}
    current = [p for p in here if p.name not in old]
    total = len({p.node for p in here})
    away = tuple(sorted({p.node for f in fleets for p in f.away if f.is_stale(p)}))
    if not stale and not under_way and all(not f.unsettled() for f in fleets):
        return Rollout(total=total, updated=total, away=away)
    leaving = [p for p in everyone if p.worker and p.ending and _lives(nodes.get(p.node))]
    waits = (
        next(filter(None, (f.unsettled() or f.unready() for f in fleets)), "")
        or _on_its_way(leaving, current)
        or next(filter(None, (f.fallen(nodes) for f in fleets)), "")
    )
    return Rollout(
        total=total,
        updated=len({p.node for p in current if p.ready and not p.ending}),
        waits=waits,
        next=stale[0] if stale and not waits else None,
        away=away,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """One DaemonSet with its pods, on boards that live and on boards that are away."""

    set: SetFacts
    newest: str = ""
    here: Sequence[PodFacts] = ()
    away: Sequence[PodFacts] = ()

    @classmethod
    def of(
        cls,
        each: SetFacts,
        pods: Iterable[PodFacts],
        revisions: Iterable[RevisionFacts],
        nodes: Mapping[str, NodeFacts],
    ) -> Fleet:
        """Pods on nodes that are gone or that repel them are none."""
        own = [p for p in pods if p.set == each.name and p.node in nodes]
        own = [p for p in own if each.may_run_on(nodes[p.node])]
        known = max((r for r in revisions if r.set == each.name), key=lambda r: r.number,
                    default=None)  # fmt: skip
        return cls(
            set=each,
            newest=known.revision if known else "",
            here=[p for p in own if nodes[p.node].ready],
            away=[p for p in own if not nodes[p.node].ready],
        )

    def is_stale(self, pod: PodFacts) -> bool:
        """Also by the word of the set's controller: a revision that was deleted unseen is no
        reason."""
        is_ours = pod.set == self.set.name and self.newest != ""
        return is_ours and pod.revision != self.newest and self.set.updated < self.set.desired

    def unsettled(self) -> str:
        """What has been told of the set and does not fit together yet."""
        each, own = self.set, [*self.here, *self.away]
        missing = max(0, each.desired - len(own))
        unexplained = each.desired - each.updated > missing + sum(map(self.is_stale, own))
        if not each.settled or unexplained:
            return f"DaemonSet {each.name} to be looked at by its controller"
        return ""

    def unready(self) -> str:
        """What its boards lack."""
        each = self.set
        if sum(not p.ending for p in self.here) + len(self.away) < each.desired:
            return f"a board of DaemonSet {each.name} to get its worker"
        if each.available < sum(p.ready for p in self.here):
            return f"the newest worker of DaemonSet {each.name} to have been ready for a while"
        return ""

    def fallen(self, nodes: Mapping[str, NodeFacts]) -> str:
        """A board that went away soon after it got the newest worker."""
        for pod in self.away:
            after_s = _between_s(pod.created, nodes[pod.node].since)
            if pod.revision == self.newest and 0 <= after_s <= FELL_S:
                return gone_with_it(pod.node)
        return ""


def gone_with_it(node: str) -> str:
    """What to do about a board that may have fallen with its new worker."""
    remedy = f"bring it back, or kubectl delete node {node}"
    return f"{node}, which went away with the newest worker: {remedy}"


def _lives(node: NodeFacts | None) -> bool:
    return node is not None and node.ready


def _on_its_way(leaving: Iterable[PodFacts], staying: Iterable[PodFacts]) -> str:
    for pod in leaving:
        return f"{pod.name} on {pod.node} to end"
    for pod in staying:
        if not pod.ready:
            return f"{pod.name} on {pod.node} to be ready (kubectl describe pod {pod.name})"
    return ""


def _between_s(earlier: str, later: str) -> float:
    """Seconds between two stamps of the cluster; -1 where one of them is none."""
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (ValueError, TypeError):
        return -1.0
