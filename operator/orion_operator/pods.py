"""What the operator needs of a Pod of its namespace (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orion_operator.loose import mapping, mappings, texts

UNAVAILABLE = frozenset(
    {"ErrImageNeverPull", "ImagePullBackOff", "ErrImagePull", "InvalidImageName",
     "ImageInspectError", "RegistryUnavailable"}
)  # fmt: skip
"""Why a container waits that cannot get its image."""
REVISION_LABEL = "controller-revision-hash"
"""On pods and ControllerRevisions, by Kubernetes: of which version of its template a pod is."""
COMPONENT_LABEL = "app.kubernetes.io/component"
_LISTS = ("initContainerStatuses", "containerStatuses")


@dataclass(frozen=True, slots=True)
class MissingImage:
    """One container that waits for its image."""

    image: str
    node: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """A pod of our namespace. `node`: where it is, or is meant to be; `set`: the DaemonSet that it
    is of; both may be empty. `created`: by the API server's clock, as it writes it."""

    name: str
    uid: str = ""
    node: str = ""
    set: str = ""
    created: str = ""
    worker: bool = False
    revision: str = ""
    ready: bool = False
    ending: bool = False
    missing: tuple[MissingImage, ...] = ()


def read_pod(body: Mapping[str, Any]) -> PodFacts:
    """From a Pod as the API server sends it."""
    metadata, spec, status = (mapping(body.get(k)) for k in ("metadata", "spec", "status"))
    node = str(spec.get("nodeName") or _meant_for(spec))
    missing: list[MissingImage] = []
    for each in (c for name in _LISTS for c in mappings(status.get(name))):
        reason = mapping(mapping(each.get("state")).get("waiting")).get("reason", "")
        if reason in UNAVAILABLE:
            missing.append(MissingImage(str(each.get("image", "")), node, str(reason)))
    labels = mapping(metadata.get("labels"))
    conditions = {c.get("type"): c.get("status") for c in mappings(status.get("conditions"))}
    return PodFacts(
        name=str(metadata["name"]),
        uid=str(metadata.get("uid", "")),
        node=node,
        set=owning_set(metadata),
        created=str(metadata.get("creationTimestamp", "")),
        worker=labels.get(COMPONENT_LABEL) == "worker",
        revision=str(labels.get(REVISION_LABEL, "")),
        ready=conditions.get("Ready") == "True",
        ending=bool(metadata.get("deletionTimestamp")),
        missing=tuple(missing),
    )


def _meant_for(spec: Mapping[str, Any]) -> str:
    """The node that a DaemonSet's pod waits to be bound to: Kubernetes writes it as an affinity."""
    affinity = mapping(mapping(spec.get("affinity")).get("nodeAffinity"))
    required = mapping(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    terms = mappings(required.get("nodeSelectorTerms"))
    fields = [f for term in terms for f in mappings(term.get("matchFields"))]
    fields = [f for f in fields if f.get("key") == "metadata.name"]
    return next(iter(texts(fields[0].get("values"))), "") if fields else ""


def owning_set(metadata: Mapping[str, Any]) -> str:
    """The DaemonSet that controls the object, or empty."""
    owners = mappings(metadata.get("ownerReferences"))
    names = [o.get("name") for o in owners if o.get("kind") == "DaemonSet" and o.get("controller")]
    return str(names[0]) if names else ""
