"""Images that a board cannot get, from the status of pods (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orion_operator.loose import mapping, mappings

REASONS = frozenset(
    {"ErrImageNeverPull", "ImagePullBackOff", "ErrImagePull", "InvalidImageName",
     "ImageInspectError", "RegistryUnavailable"}
)  # fmt: skip
_LISTS = ("initContainerStatuses", "containerStatuses")


@dataclass(frozen=True, slots=True)
class MissingImage:
    """One container that waits for its image."""

    image: str
    node: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """A pod of our namespace."""

    name: str
    node: str = ""
    missing: tuple[MissingImage, ...] = ()


def read_pod(body: Mapping[str, Any]) -> PodFacts:
    """From a Pod as the API server sends it."""
    node = str(mapping(body.get("spec")).get("nodeName") or "")
    status = mapping(body.get("status"))
    missing: list[MissingImage] = []
    for each in (c for name in _LISTS for c in mappings(status.get(name))):
        reason = mapping(mapping(each.get("state")).get("waiting")).get("reason", "")
        if reason in REASONS:
            missing.append(MissingImage(str(each.get("image", "")), node, str(reason)))
    return PodFacts(name=body["metadata"]["name"], node=node, missing=tuple(missing))


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
