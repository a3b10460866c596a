"""What the operator needs of the workers' DaemonSets and of their revisions (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from orion_contracts import kubernetes as names
from orion_operator.loose import mapping, mappings
from orion_operator.nodes import NodeFacts, Taint
from orion_operator.pods import REVISION_LABEL, owning_set

OF_NODES = "node.kubernetes.io/"
"""Taints by which Kubernetes tells of a node's state (cordoned, short of memory, away): it lets the
pods of DaemonSets tolerate them."""


class Toleration(NamedTuple):
    """As in a pod's spec; what is empty matches everything."""

    key: str
    operator: str
    value: str
    effect: str

    def tolerates(self, taint: Taint) -> bool:
        """The rule of Kubernetes."""
        if self.effect not in ("", taint.effect) or self.key not in ("", taint.key):
            return False
        return self.operator == "Exists" or (self.key != "" and self.value == taint.value)


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
    tolerations: tuple[Toleration, ...] = ()

    def may_run_on(self, node: NodeFacts) -> bool:
        """Whether nothing on the node repels its pods: what is there nevertheless, since before the
        taint, is no longer counted by Kubernetes and would not come back."""
        return all(
            taint.key.startswith(OF_NODES) or any(t.tolerates(taint) for t in self.tolerations)
            for taint in node.taints
        )


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
        tolerations=tuple(
            Toleration(*(str(t.get(k) or "") for k in ("key", "operator", "value", "effect")))
            for t in mappings(_pod_spec(spec).get("tolerations"))
        ),
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


def _pod_spec(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(spec.get("template")).get("spec"))


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0
