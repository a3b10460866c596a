"""Images that a board cannot get, in words (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from orion_operator.pods import PodFacts


def describe(pods: Iterable[PodFacts]) -> str:
    """One sentence for each image, with the command that mends it; empty: none is missing."""
    where: dict[str, set[str]] = {}
    reasons: dict[str, str] = {}
    for missing in (m for pod in pods for m in pod.missing):
        where.setdefault(missing.image, set()).add(missing.node or "a board")
        reasons[missing.image] = missing.reason
    return "; ".join(
        f"{', '.join(sorted(boards))} cannot get {image} ({reasons[image]}): copy it there as an "
        f"archive and run `k3s ctr images import ARCHIVE`, or make its registry reachable"
        for image, boards in sorted(where.items())
    )
