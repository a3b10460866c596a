"""InferenceCluster resources for the tests, and what their status says."""

from __future__ import annotations

from typing import Any

from e2e.kube import Kube, Object, condition, until

NAME = "home"


def resource(**spec: Any) -> Object:
    """One InferenceCluster."""
    return {"apiVersion": "inference.orion.dev/v1alpha1", "kind": "InferenceCluster",
            "metadata": {"name": NAME}, "spec": spec}  # fmt: skip


def apply(kube: Kube, **spec: Any) -> None:
    """`kubectl apply`, and wait until the operator has taken it."""
    kube.apply(resource(**spec))
    until(lambda: _observed(kube), 20, "the operator has seen the resource")


def _observed(kube: Kube) -> bool:
    found = kube.get(f"icl/{NAME}")
    seen = found.get("status", {}).get("observedGeneration")
    return bool(seen == found["metadata"]["generation"])


def says(kube: Kube, kind: str, status: str, within_s: float, name: str = NAME) -> Object:
    """A condition, once it has this status."""

    def found() -> Object | None:
        seen = condition(kube.get(f"icl/{name}"), kind)
        return seen if seen["status"] == status else None

    answer = until(found, within_s, f"{kind} is {status}")
    assert answer is not None
    return answer
