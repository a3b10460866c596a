"""What the operator needs of the workers' DaemonSets and of their revisions (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orion_contracts import kubernetes as names
from orion_operator.loose import mapping
from orion_operator.pods import REVISION_LABEL, owning_set


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFacts:
    """A DaemonSet. `ours`: its pods are replaced by the operator (see rollout).

    `settled`: its controller has seen the newest template. `desired`: nodes that should run it.
    `updated`: those whose pod is of it. `available`: pods that have been ready for the least time
    (`minReadySeconds`).
    """

    name: str
    ours: bool = False
    settled: bool = False
    desired: int = 0
    updated: int = 0
    available: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionFacts:
    """A version of a DaemonSet's template; the highest number is in force. `created`: by the API
    server's clock."""

    name: str
    set: str = ""
    number: int = 0
    created: str = ""
    revision: str = ""
    """What pods of it carry as REVISION_LABEL."""


def read_set(body: Mapping[str, Any]) -> SetFacts:
    """From a DaemonSet as the API server sends it."""
    metadata, spec, status = (mapping(body.get(k)) for k in ("metadata", "spec", "status"))
    strategy = mapping(spec.get("updateStrategy")).get("type")
    return SetFacts(
        name=str(metadata["name"]),
        ours=strategy == "OnDelete" and names.CLASS_LABEL in mapping(metadata.get("labels")),
        settled=status.get("observedGeneration") == metadata.get("generation"),
        desired=_count(status.get("desiredNumberScheduled")),
        updated=_count(status.get("updatedNumberScheduled")),
        available=_count(status.get("numberAvailable")),
    )


def read_revision(body: Mapping[str, Any]) -> RevisionFacts:
    """From a ControllerRevision as the API server sends it."""
    metadata = mapping(body.get("metadata"))
    return RevisionFacts(
        name=str(metadata["name"]),
        set=owning_set(metadata),
        number=_count(body.get("revision")),
        created=str(metadata.get("creationTimestamp", "")),
        revision=str(mapping(metadata.get("labels")).get(REVISION_LABEL, "")),
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0
