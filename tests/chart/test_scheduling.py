"""Which board gets what, and what an update or a lost board does."""

from __future__ import annotations

from typing import Any

import pytest

from chart import matrix
from chart.rendering import NAMESPACE, Object, Pod, kind, objects, one, pod, pods
from orion_contracts import kubernetes

pytestmark = [pytest.mark.needs("helm"), pytest.mark.timeout(60)]
every_combination = pytest.mark.parametrize("name", matrix.COMBINATIONS)
WORKLOADS = {"worker", "router", "store"}
FREE = {"operator", "cleanup", "test"}


def demands(of: Pod) -> list[Object]:
    """The expressions that a node must meet: one term only, so all of them."""
    affinity: dict[str, Any] = of.spec["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    found: list[Object] = term["matchExpressions"]
    return found


@every_combination
def test_boards_are_chosen_by_label_and_owner(name: str) -> None:
    """In, never NotIn: a board gets nothing before the operator labelled it for this namespace."""
    values = matrix.COMBINATIONS[name]
    for each in pods(objects(values)):
        if each.component in WORKLOADS:
            wanted = {d["key"]: (d["operator"], d["values"]) for d in demands(each)}
            assert set(wanted) == {kubernetes.CLASS_LABEL, kubernetes.OWNER_LABEL}, str(each)
            assert wanted[kubernetes.OWNER_LABEL] == ("In", [NAMESPACE]), str(each)
            operator, classes = wanted[kubernetes.CLASS_LABEL]
            assert operator == "In", str(each)
            assert kubernetes.EXCLUDED not in classes, str(each)


@every_combination
def test_operator_hooks_and_test_avoid_excluded_boards(name: str) -> None:
    """They may run before any label is there, and never on a board that is excluded."""
    found = [each for each in pods(objects(matrix.COMBINATIONS[name])) if each.component in FREE]

    assert {each.component for each in found} == FREE
    for each in found:
        assert demands(each) == [
            {
                "key": kubernetes.CLASS_LABEL,
                "operator": "NotIn",
                "values": [kubernetes.EXCLUDED],
            }
        ], str(each)


def test_a_node_selector_holds_for_operator_hooks_and_test() -> None:
    """scheduling.nodeSelector, and nothing else of ours."""
    selector = {"kubernetes.io/arch": "amd64"}
    for each in pods(objects({"scheduling": {"nodeSelector": selector}})):
        assert each.spec.get("nodeSelector") == (selector if each.component in FREE else None)


def test_one_daemon_set_for_each_class_of_workers() -> None:
    """By default 16gb and 8gb; router and store on 16gb; a class of one's own adds one."""
    found = objects()
    own = objects(matrix.CHOICES["names"]["own"])

    assert [each["metadata"]["name"] for each in kind(found, "DaemonSet")] == [
        "orion-inference-worker-16gb", "orion-inference-worker-8gb",
    ]  # fmt: skip
    assert [each["metadata"]["name"] for each in kind(own, "DaemonSet")] == [
        "orion-worker-16gb", "orion-worker-32gb",
    ]  # fmt: skip
    for owner, classes in (
        ("DaemonSet/orion-inference-worker-16gb", ["16gb"]),
        ("DaemonSet/orion-inference-worker-8gb", ["8gb"]),
        ("Deployment/orion-inference-router", ["16gb"]),
        ("StatefulSet/orion-inference-store", ["16gb"]),
    ):
        assert demands(pod(found, owner))[0]["values"] == classes, owner
    assert demands(pod(own, "Deployment/orion-router"))[0]["values"] == ["16gb", "32gb"]


@every_combination
def test_updates_never_take_two_boards(name: str) -> None:
    """Workers wait for the operator, which goes from board to board over all classes, each ready
    for a while first; a router goes when the next one serves."""
    found = objects(matrix.COMBINATIONS[name])
    for each in kind(found, "DaemonSet"):
        assert each["spec"]["updateStrategy"] == {"type": "OnDelete"}
        assert each["metadata"]["labels"]["inference.orion.dev/class"]  # as the operator finds it
        assert each["spec"]["minReadySeconds"] >= 10
    strategies = {
        each["metadata"]["labels"]["app.kubernetes.io/component"]: each["spec"]["strategy"]
        for each in kind(found, "Deployment")
    }
    assert strategies["router"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert strategies["operator"] == {"type": "Recreate"}


def test_a_lost_board_is_left_soon_but_not_by_the_data() -> None:
    """Router and operator after 20 s; the store waits for its board, whose disk has the queue."""
    found = objects()
    keys = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
    for owner, seconds in (
        ("Deployment/orion-inference-router", 20),
        ("Deployment/orion-inference-operator", 20),
        ("StatefulSet/orion-inference-store", None),
    ):
        tolerations = {t["key"]: t for t in pod(found, owner).spec["tolerations"]}
        assert set(tolerations) == keys, owner
        assert {t.get("tolerationSeconds") for t in tolerations.values()} == {seconds}, owner


@every_combination
def test_disruption_budgets_never_block_a_drain(name: str) -> None:
    """One pod may always be away, also one that is ill; and each budget selects something."""
    found = objects(matrix.COMBINATIONS[name])
    for budget in kind(found, "PodDisruptionBudget"):
        spec = budget["spec"]
        assert spec["maxUnavailable"] == 1
        assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        wanted = spec["selector"]["matchLabels"].items()
        assert any(wanted <= dict(each.labels).items() for each in pods(found))


def test_ollama_starts_before_the_agent_and_ends_after_it() -> None:
    """A native sidecar, without a startup probe; the pod's grace covers the agent's 25 s."""
    for values in (
        matrix.MINIMAL,
        matrix.CHOICES["ollama"]["claim"],
        matrix.CHOICES["ollama"]["image"],
    ):
        for each in pods(objects(values)):
            if each.component != "worker":
                continue
            engine = each.container("ollama")
            assert engine in each.spec["initContainers"]
            assert engine["restartPolicy"] == "Always"
            assert "startupProbe" not in engine
            assert engine["livenessProbe"]["exec"]["command"] == [
                "test", "!", "-e", "/run/orion/engine-wedged",
            ]  # fmt: skip
            assert "--wedged-mark=/run/orion/engine-wedged" in each.container("worker")["args"]
            assert each.spec["terminationGracePeriodSeconds"] >= 40


@every_combination
def test_liveness_looks_at_no_dependency(name: str) -> None:
    """/livez of the process itself; the store's is its open port; readiness decides who serves."""
    probes = {
        f"{each.component}/{container['name']}": container
        for each in pods(objects(matrix.COMBINATIONS[name]))
        for container in each.containers
        if "livenessProbe" in container
    }
    expected = {"operator/operator", "router/router", "worker/worker"}
    assert expected <= set(probes) <= expected | {"worker/ollama", "store/store"}
    for where in expected:
        assert probes[where]["livenessProbe"]["httpGet"]["path"] == "/livez"
        assert probes[where]["readinessProbe"]["httpGet"]["path"] == "/readyz"
    if "store/store" in probes:
        assert "tcpSocket" in probes["store/store"]["livenessProbe"]


def test_the_store_keeps_its_data_over_an_uninstall() -> None:
    """The volume comes from the StatefulSet's template, which nobody deletes with the release."""
    store = one(objects(), "StatefulSet/orion-inference-store")["spec"]

    assert [each["metadata"]["name"] for each in store["volumeClaimTemplates"]] == ["data"]
    assert "persistentVolumeClaimRetentionPolicy" not in store
