"""Who may change things: the rules of the Lease (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orion_operator.loose import mapping

LEASE_S, RENEW_S = 30, 10
FAREWELL_S = 60
"""How long the clean-up before an uninstall keeps a still running operator from undoing it."""
FAREWELL = "cleanup"

Move = Literal["create", "take", "renew", "wait"]


@dataclass(frozen=True, slots=True)
class LeaseFacts:
    """A Lease as the API server has it."""

    holder: str = ""
    renewed: str = ""
    duration_s: float = LEASE_S
    version: str = ""
    transitions: int = 0


def read_lease(body: Mapping[str, Any]) -> LeaseFacts:
    """From a Lease; an empty one, as the chart makes it, has no holder."""
    spec = mapping(body.get("spec"))
    return LeaseFacts(
        holder=spec.get("holderIdentity") or "",
        renewed=spec.get("renewTime") or "",
        duration_s=float(spec.get("leaseDurationSeconds") or LEASE_S),
        version=mapping(body.get("metadata")).get("resourceVersion", ""),
        transitions=int(spec.get("leaseTransitions") or 0),
    )


def decide(found: LeaseFacts | None, me: str, unchanged_s: float) -> Move:
    """What to do. `unchanged_s`: for how long this process has seen the very same Lease; the
    holder's clock is never compared with ours."""
    if found is None:
        return "create"
    if found.holder == me:
        return "renew"
    if not found.holder or unchanged_s > found.duration_s:
        return "take"
    return "wait"


def lease(
    name: str, namespace: str, me: str, found: LeaseFacts | None, now: str, duration_s: int
) -> dict[str, Any]:
    """The Lease to write; `me` empty gives it up."""
    before = found or LeaseFacts()
    spec: dict[str, Any] = {
        "holderIdentity": me,
        "leaseDurationSeconds": duration_s,
        "renewTime": now,
        "leaseTransitions": before.transitions + (before.holder != me),
    }
    metadata = {"name": name, "namespace": namespace}
    if before.version:
        metadata["resourceVersion"] = before.version
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": spec,
    }
