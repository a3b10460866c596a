"""What is left of us when the namespace is deleted: the last test of all."""

from __future__ import annotations

import time

from e2e.conftest import NAMESPACE, RELEASE, helm, install_arguments, wait_ready
from e2e.kube import Kube, run, until
from e2e.leftovers import (
    BY_HAND,
    DEFINITION,
    LABELS,
    LISTING,
    becomes,
    documented,
    follow,
    in_cluster,
)
from e2e.world import World

BY_LISTING = {
    "ClusterRole": ["operator"],
    "ClusterRoleBinding": ["operator"],
    "PriorityClass": ["core", "worker"],
    "ValidatingAdmissionPolicy": ["node-guard"],
    "ValidatingAdmissionPolicyBinding": ["node-guard"],
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
    by_listing = {kind: [own + name for name in names] for kind, names in BY_LISTING.items()}
    labels = sorted(f"{name}: {mark}" for name in nodes for mark in LABELS)
    becomes(lambda: in_cluster(NAMESPACE), {**DEFINITION, **by_listing, "Node": labels})
    follow(BY_HAND, NAMESPACE)
    becomes(lambda: in_cluster(NAMESPACE), {**DEFINITION, **by_listing})
    (listing,) = documented(LISTING, NAMESPACE)
    listed = run([*listing, "-o", "name"]).split()
    run(["kubectl", "delete", *(each for each in listed if RELEASE in each)])
    becomes(lambda: in_cluster(NAMESPACE), DEFINITION)
