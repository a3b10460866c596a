"""What is left of us after `helm uninstall`, and after what the page says."""

from __future__ import annotations

from e2e.boards import SecondBoard
from e2e.conftest import NAMESPACE, RELEASE, helm, install_arguments, stage
from e2e.kube import Kube, until
from e2e.leftovers import (
    DEFINITION,
    IN_TABLE,
    LABELS,
    becomes,
    follow,
    in_cluster,
    in_namespace,
    on_node,
)
from e2e.resources import apply
from e2e.world import World


def marks(kube: Kube, node: str) -> set[str]:
    """What of ours a Node bears."""
    return set(on_node(kube.get(f"node/{node}")))


def test_uninstall_leaves_what_the_page_says(kube: Kube, world: World, second: SecondBoard) -> None:
    """Of labels, taints and conditions on Nodes nothing; of namespaced and cluster-scoped objects
    of every kind exactly what the table names; and with the table's commands nothing."""
    stage("helm uninstall, with every mark that we leave on Nodes")
    # Earlier tests changed by hand what the chart owns, and put it back: that is Helm's again.
    more = ("--set", "feedback.enabled=true", "--force-conflicts")
    helm("upgrade", *install_arguments(world, *more))
    helm("test", RELEASE)
    below_it = {"temperatureExcludeC": 50, "temperatureReturnC": 45}
    apply(kube, thresholds=below_it, feedback={"nodeConditions": True, "taints": True})
    served = {*LABELS, "condition InferenceReady"}
    hot = {*served, "taint inference.orion.dev/gated"}
    until(lambda: marks(kube, second.board) == hot, 90, "every mark is on the hot board")
    until(lambda: marks(kube, world.node) == served, 90, "all but the taint is on the other")
    resources = sorted(each["metadata"]["name"] for each in kube.items("icl"))
    assert "default" in resources

    helm("uninstall", RELEASE, "--wait")

    becomes(lambda: in_namespace(kube), {
        "InferenceCluster": resources,
        "Lease": ["orion-inference-operator"],
        "PersistentVolumeClaim": ["data-orion-inference-store-0"],
        "Pod": ["orion-inference-test"],
    })  # fmt: skip
    becomes(lambda: in_cluster(NAMESPACE), {**DEFINITION, "PersistentVolume": ["bound"]})

    follow(IN_TABLE, NAMESPACE)

    becomes(lambda: in_namespace(kube), {})
    becomes(lambda: in_cluster(NAMESPACE), {})
