"""What is left of us when the namespace is deleted: the last test of all."""

from __future__ import annotations

import time

from e2e.conftest import (
    NAMESPACE,
    RELEASE,
    helm,
    install_arguments,
    is_fake_pod,
    wait_ready,
)
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

MOST_S = 45
"""Kubernetes looks after 5 s and after 10 s, when the router still says farewell, then after half
the longest grace period (21 s), and 5 s later for the claim: 37 s. A pod that ends late costs
another 21 s."""
GUARDS = ["definition-guard", "deployment-guard", "eviction-guard", "node-guard"]
OUTSIDE = {
    "ClusterRole": ["operator"],
    "ClusterRoleBinding": ["operator"],
    "PriorityClass": ["core", "worker"],
    "ValidatingAdmissionPolicy": GUARDS,
    "ValidatingAdmissionPolicyBinding": GUARDS,
}


def test_a_namespace_goes_with_the_operator_dead(kube: Kube, world: World) -> None:
    """No finalizer and no pod of ours holds it: 45 s at most. What belongs to no namespace is what
    the page says, and goes as it says."""
    helm("uninstall", RELEASE, "--ignore-not-found", "--wait")
    helm("install", *install_arguments(world))
    wait_ready(kube)
    kube.kubectl("scale", "deployment/orion-inference-operator", "--replicas=0")
    until(lambda: not kube.pods("operator"), 60, "the operator is gone")
    nodes = [n["metadata"]["name"] for n in kube.items("nodes")]
    began = time.monotonic()
    run(["kubectl", "delete", "namespace", NAMESPACE, "--wait=false"])
    for pod in kube.pods("worker"):
        if is_fake_pod(pod):  # nothing runs there, and kwok may take a minute to say so
            name = pod["metadata"]["name"]
            kube.kubectl("delete", "pod", name, "--force", "--grace-period=0", "--ignore-not-found")
    run(["kubectl", "wait", f"namespace/{NAMESPACE}", "--for=delete", f"--timeout={MOST_S}s"])
    print(f"namespace gone after {time.monotonic() - began:.0f} s")

    own = f"{NAMESPACE}-{RELEASE}-"
    outside = {kind: [own + name for name in names] for kind, names in OUTSIDE.items()}
    labels = sorted(f"{name}: {mark}" for name in nodes for mark in LABELS)
    becomes(lambda: in_cluster(NAMESPACE), {**DEFINITION, **outside, "Node": labels})
    follow(BY_HAND, NAMESPACE)
    becomes(lambda: in_cluster(NAMESPACE), DEFINITION)
