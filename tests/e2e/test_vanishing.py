"""What is left of us when the namespace is deleted: the last test of all."""

from __future__ import annotations

import time

from e2e.conftest import NAMESPACE, RELEASE, helm, install_arguments, wait_ready
from e2e.kube import Kube, run, until
from e2e.leftovers import (
    BY_HAND,
    DEFINITION,
    LABELS,
    becomes,
    follow,
    in_cluster,
)
from e2e.world import World

GUARDS = ["definition-guard", "deployment-guard", "eviction-guard", "node-guard"]
OUTSIDE = {
    "ClusterRole": ["operator"],
    "ClusterRoleBinding": ["operator"],
    "PriorityClass": ["core", "worker"],
    "ValidatingAdmissionPolicy": GUARDS,
    "ValidatingAdmissionPolicyBinding": GUARDS,
}


def test_a_namespace_goes_with_the_operator_dead(kube: Kube, world: World) -> None:
    """No finalizer of ours holds it: 60 s at most. What belongs to no namespace is what the page
    says, and goes as it says."""
    helm("uninstall", RELEASE, "--ignore-not-found", "--wait")
    helm("install", *install_arguments(world))
    wait_ready(kube)
    kube.kubectl("scale", "deployment/orion-inference-operator", "--replicas=0")
    until(lambda: not kube.pods("operator"), 60, "the operator is gone")
    nodes = [n["metadata"]["name"] for n in kube.items("nodes")]
    began = time.monotonic()
    run(["kubectl", "delete", "namespace", NAMESPACE, "--timeout=60s"])
    print(f"namespace gone after {time.monotonic() - began:.0f} s")

    own = f"{NAMESPACE}-{RELEASE}-"
    outside = {kind: [own + name for name in names] for kind, names in OUTSIDE.items()}
    labels = sorted(f"{name}: {mark}" for name in nodes for mark in LABELS)
    becomes(lambda: in_cluster(NAMESPACE), {**DEFINITION, **outside, "Node": labels})
    follow(BY_HAND, NAMESPACE)
    becomes(lambda: in_cluster(NAMESPACE), DEFINITION)
