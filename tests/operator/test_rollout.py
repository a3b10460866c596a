"""An update goes from board to board over all classes, as a real DaemonSet controller sees it."""

from __future__ import annotations

from typing import Any

import pytest

from builders.clusters import worker_set
from servers.operators import Rig

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


def serving(world: Rig) -> dict[str, str]:
    """Boards whose worker is ready, to its image."""
    found: dict[str, str] = {}
    for pod in world.kube.pods("worker"):
        conditions: list[Any] = pod["status"].get("conditions", [])
        if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
            found[pod["spec"]["nodeName"]] = pod["spec"]["containers"][0]["image"]
    return found


def test_one_board_of_all_classes_at_a_time(world: Rig) -> None:
    """Three boards of two classes: two serve at every look; a restarted operator goes on; a broken
    version stops at its first board, and the way back begins there."""
    world.add_node("8b", 7.7)
    world.start()
    for node_class in ("16gb", "8gb"):
        world.kube.apply(worker_set(world.namespace, node_class, "worker:1"))
    world.until(lambda: len(serving(world)) == 3, "three workers", 180)
    world.until_says("BoardsUpdated", "True", "Current")
    fewest = [3]

    def updated() -> bool:
        now = serving(world)
        fewest.append(len(now))
        return list(now.values()) == ["worker:2"] * 3

    def under_way() -> bool:
        now = serving(world)
        fewest.append(len(now))
        return "worker:2" in now.values()

    for node_class in ("16gb", "8gb"):
        world.kube.apply(worker_set(world.namespace, node_class, "worker:2"))
    world.until_says("BoardsUpdated", "False", "Replacing", within_s=10)
    world.until(under_way, "the first new worker", 180)
    world.operator.kill()
    world.start()
    world.until(updated, "three new workers", 360)
    world.until_says("BoardsUpdated", "True", "Current", within_s=20)
    assert min(fewest) == 2, fewest


def test_a_version_that_cannot_start_stops_at_its_first_board(world: Rig) -> None:
    """The other board keeps its worker; a corrected version replaces the broken one first."""
    world.start()
    for node_class in ("16gb", "8gb"):
        world.kube.apply(worker_set(world.namespace, node_class, "worker:1"))
    world.until(lambda: len(serving(world)) == 2, "two workers", 180)
    for node_class in ("16gb", "8gb"):
        broken = worker_set(world.namespace, node_class, "worker:2")
        broken["spec"]["template"]["spec"]["schedulerName"] = "nobody"  # never bound, never ready
        world.kube.apply(broken)
    world.until_says("BoardsUpdated", "False", "Replacing", within_s=10)
    message = world.until(lambda: says_ready(world), "the update to wait", 90)
    assert "0 of 2" in message or "1 of 2" in message
    assert len(serving(world)) == 1

    for node_class in ("16gb", "8gb"):
        world.kube.apply(worker_set(world.namespace, node_class, "worker:3"))
    done = ["worker:3"] * 2
    world.until(lambda: list(serving(world).values()) == done, "the correction", 240)


def says_ready(world: Rig) -> str:
    """The condition's message, once it waits for a pod to be ready."""
    message = world.says("BoardsUpdated")[2]
    return message if "to be ready" in message or "get its worker" in message else ""
