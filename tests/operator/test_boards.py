"""Nodes: labels by memory, owners, cordon, feedback, and nothing of kopf on any object."""

from __future__ import annotations

import json

import pytest

from e2e.kube import Object
from orion_contracts.kubernetes import CLASS_LABEL, OWNER_LABEL, TAINT
from servers.operators import Rig

pytestmark = pytest.mark.cluster


def test_boards_are_labelled_by_themselves(world: Rig) -> None:
    """16 GB, 8 GB, excluded; one that joins later, too; one that leaves is forgotten."""
    sixteen, eight, four = (f"{world.namespace}-{n}" for n in ("16", "8", "4"))
    world.start()
    world.until(lambda: world.labels(four)[0], "labels")

    owner = world.namespace
    assert [world.labels(n) for n in (sixteen, eight, four)] == [
        ("16gb", owner), ("8gb", owner), ("excluded", owner),
    ]  # fmt: skip
    late = world.add_node("late", 7.7)
    world.until(lambda: world.labels(late) == ("8gb", owner), "the late board's label")
    world.until(lambda: late in world.config().get("nodes", {}), "the late board's configuration")
    world.remove_node(late)
    world.until(lambda: late not in world.config()["nodes"], "the late board to be forgotten")


def test_labels_do_not_wait_for_the_store(lonely: Rig) -> None:
    """Boards get their pods also while the store is away: it may be one of those pods."""
    eight = f"{lonely.namespace}-8"
    lonely.start()

    lonely.until(lambda: lonely.labels(eight) == ("8gb", lonely.namespace), "the label")


def test_a_class_by_hand_is_corrected_an_owner_by_hand_is_respected(world: Rig) -> None:
    """The class is the operator's to say; the owner is how a board changes hands."""
    eight, four = f"{world.namespace}-8", f"{world.namespace}-4"
    world.start()
    world.until(lambda: world.labels(four)[0], "labels")
    world.kube.kubectl("label", "node", four, f"{CLASS_LABEL}=16gb", "--overwrite")
    world.until(lambda: world.labels(four)[0] == "excluded", "the class to be corrected")

    world.kube.kubectl("label", "node", eight, f"{OWNER_LABEL}=lab", "--overwrite")
    world.until(lambda: eight not in world.config()["nodes"], "the board to be given up")
    said = f"{eight} belong to namespace lab"
    world.until(lambda: said in world.says("Conflict")[2], "the conflict", 45)
    assert world.labels(eight) == ("8gb", "lab")


def test_boards_that_all_belong_to_others_are_left_alone(world: Rig) -> None:
    """Ready is False with the owner's name, and nothing is written on the Nodes."""
    nodes = [f"{world.namespace}-{n}" for n in ("16", "8", "4")]
    world.kube.kubectl("label", "node", *nodes, f"{OWNER_LABEL}=lab")
    before = [world.node(n)["metadata"]["resourceVersion"] for n in nodes]
    world.start()

    message = world.until_says("Ready", "False", "Conflict")
    assert "belong to namespace lab" in message
    assert [world.labels(n) for n in nodes] == [("", "lab")] * 3
    assert before == [world.node(n)["metadata"]["resourceVersion"] for n in nodes]


def test_spec_nodes_overrides_the_class(world: Rig) -> None:
    """Whatever the memory; excluding a board by name takes its work away."""
    sixteen, eight = f"{world.namespace}-16", f"{world.namespace}-8"
    world.apply("mine", {"nodes": [{"name": eight, "class": "excluded"},
                                   {"name": sixteen, "class": "8gb", "slots": 3}]})  # fmt: skip
    world.start()

    world.until(lambda: world.labels(eight)[0] == "excluded", "the excluded class")
    assert world.labels(sixteen)[0] == "8gb"
    world.until(lambda: world.config(), "a configuration")
    assert world.config()["nodes"][eight] == {"class": "excluded"}
    assert world.config()["nodes"][sixteen] == {"class": "8gb", "slots": 3}


def test_cordon_drains_and_uncordon_brings_back(world: Rig) -> None:
    """`kubectl cordon` is in the configuration and in the status, and an Event tells it."""
    eight = f"{world.namespace}-8"
    world.start()
    world.until(lambda: world.config(), "a configuration")
    world.reports(eight)
    world.kube.kubectl("cordon", eight)
    world.until(lambda: world.config()["nodes"][eight].get("drain") == "cordoned", "the drain", 5)

    def state() -> str:
        rows = {row["name"]: row for row in world.icl()["status"]["nodes"]}
        return str(rows[eight]["state"])

    world.until(lambda: state() == "Draining", "the state", 45)
    world.kube.kubectl("uncordon", eight)
    world.until(lambda: "drain" not in world.config()["nodes"][eight], "the end of the drain", 5)
    world.until(lambda: state() != "Draining", "the state", 45)
    world.until(lambda: "BoardDraining" in reasons(world), "an Event")


def reasons(world: Rig) -> set[str]:
    """Of all Events about InferenceClusters."""
    return {e["reason"] for e in world.kube.items("events")}


def test_kubernetes_is_told_only_when_asked(world: Rig) -> None:
    """Conditions and taints come with the setting, follow the gate, and go with the setting."""
    eight = f"{world.namespace}-8"
    world.apply("mine", {"feedback": {"nodeConditions": True, "taints": True}})
    world.start()
    world.until(lambda: world.config(), "a configuration")
    world.kube.kubectl("taint", "node", eight, "dedicated=robot:PreferNoSchedule")
    world.reports(eight, temperature_c=80.0)

    def condition() -> Object:
        found = {c["type"]: c for c in world.node(eight)["status"]["conditions"]}
        return dict(found.get("InferenceReady", {}))

    def taints() -> list[str]:
        keys = [t["key"] for t in world.node(eight)["spec"].get("taints", [])]
        return [key for key in keys if not key.startswith("node.kubernetes.io/")]

    world.until(lambda: condition().get("reason") == "Hot", "the condition")
    world.until(lambda: sorted(taints()) == ["dedicated", TAINT], "the taint beside another")
    world.reports(eight, temperature_c=60.0)
    world.until(lambda: condition().get("status") == "True", "the condition's return")
    world.until(lambda: taints() == ["dedicated"], "our taint to go, and no other")
    world.apply("mine", {})
    world.until(lambda: not condition(), "the condition to go")


def test_nothing_of_kopf_is_on_any_object(world: Rig) -> None:
    """No finalizer, no annotation of kopf: nothing can wedge a Node or a namespace."""
    world.start()
    world.until(lambda: world.icl().get("status"), "a status")
    world.kube.kubectl("run", "idle", "--image=none.invalid/none:1", "--overrides",
                       json.dumps({"spec": {"nodeName": f"{world.namespace}-4"}}))  # fmt: skip
    eight = f"{world.namespace}-8"
    world.kube.kubectl("cordon", eight)
    world.until(lambda: world.config()["nodes"][eight].get("drain"), "the drain")
    objects = [*world.kube.items("nodes"), *world.kube.items("icl"), *world.kube.items("pods")]

    assert len(objects) >= 5
    for each in objects:
        assert "kopf" not in json.dumps(each["metadata"].get("annotations", {}))
        assert not any("kopf" in f for f in each["metadata"].get("finalizers", []))
        assert not any("kopf" in m["manager"] for m in each["metadata"].get("managedFields", []))
    assert not world.icl()["metadata"].get("finalizers")


def test_an_operator_on_an_excluded_board_restarts_its_deployment(world: Rig) -> None:
    """Once: its label keeps the new pod away. On another board it stays."""
    four = f"{world.namespace}-4"
    pod = {"metadata": {"labels": {"a": "b"}},
           "spec": {"containers": [{"name": "c", "image": "none.invalid/none:1"}]}}  # fmt: skip
    world.kube.apply(
        {"apiVersion": "apps/v1", "kind": "Deployment",
         "metadata": {"name": "own", "namespace": world.namespace},
         "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": pod}}
    )  # fmt: skip

    def marks() -> dict[str, str]:
        template = world.kube.get("deployment/own")["spec"]["template"]
        return dict(template["metadata"].get("annotations", {}))

    world.start("--deployment=own", f"--node-name={world.namespace}-8")
    world.until(lambda: world.config(), "a configuration")
    assert not marks()
    world.operator.stop()

    world.start("--deployment=own", f"--node-name={four}")
    world.until(marks, "the restart")
    first = marks()
    world.kube.kubectl("label", "node", f"{world.namespace}-8", "some=change")
    world.until(lambda: "restarting the Deployment own" in world.operator.tail(), "the log")
    assert marks() == first
    assert world.operator.tail(400).count("restarting the Deployment") == 1
