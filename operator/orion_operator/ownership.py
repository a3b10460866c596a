"""Which InferenceCluster of a namespace is in force, and what the others are told (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orion_contracts import kubernetes as names
from orion_operator.loose import mapping

Loss = Literal["Superseded", "Conflict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """An InferenceCluster as the API server has it. `ours`: the operator made it."""

    name: str
    uid: str = ""
    generation: int = 0
    created: str = ""
    ours: bool = False
    spec: Mapping[str, Any] = field(default_factory=dict[str, Any])
    status: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Choice:
    """`losers`: name to reason and message. `make_default`: the namespace has none at all."""

    active: Resource | None = None
    losers: Mapping[str, tuple[Loss, str]] = field(default_factory=dict[str, tuple[Loss, str]])
    make_default: bool = False


def read_resource(body: Mapping[str, Any]) -> Resource:
    """From an InferenceCluster as the API server sends it."""
    metadata: Mapping[str, Any] = body["metadata"]
    labels = mapping(metadata.get("labels"))
    return Resource(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        generation=metadata.get("generation", 0),
        created=metadata.get("creationTimestamp", ""),
        ours=labels.get(names.CREATED_LABEL) == names.OPERATOR,
        spec=mapping(body.get("spec")),
        status=mapping(body.get("status")),
    )


def choose(resources: Iterable[Resource]) -> Choice:
    """The oldest that a person made; else the operator's own; else one is to be made."""
    ranked = sorted(resources, key=lambda r: (r.ours, r.created, r.name))
    if not ranked:
        return Choice(make_default=True)
    active, *others = ranked
    losers: dict[str, tuple[Loss, str]] = {}
    for other in others:
        if other.ours:
            losers[other.name] = (
                "Superseded",
                f"{active.name} is in force: a resource that a person made counts before the "
                f"operator's own. Delete {active.name} to go back to this one",
            )
        else:
            losers[other.name] = (
                "Conflict",
                f"{active.name} is in force in this namespace and is older; one namespace has one "
                f"cluster. Merge this one into it, or delete one of them",
            )
    return Choice(active, losers)


def default_resource(namespace: str) -> dict[str, Any]:
    """What the operator creates where there is none, and never edits again."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {
            "name": names.DEFAULT_RESOURCE,
            "namespace": namespace,
            "labels": {
                names.CREATED_LABEL: names.OPERATOR,
                "app.kubernetes.io/part-of": "orion-inference",
            },
        },
        "spec": {},
    }
