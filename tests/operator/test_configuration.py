"""From `kubectl apply` to routers and boards, and back into the status."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.kube import Kube
from orion_contracts import keys, schema
from orion_lab.program import Program
from orion_lab.stores import free_port
from servers.operators import Rig

pytestmark = pytest.mark.cluster


def test_a_namespace_without_a_resource_gets_the_default(world: Rig) -> None:
    """Made once, with all defaults; the configuration follows it, valid by the contract."""
    world.start()
    world.until(lambda: world.config(), "a configuration")
    document = world.config()
    schema.check("config", document)

    assert document["thresholds"]["temperature_exclude_c"] == 75
    assert document["nodes"][f"{world.namespace}-16"] == {"class": "16gb", "slots": 1}
    assert document["models"] == []
    assert world.icl()["spec"]["thresholds"]["ramExcludePercent"] == 90
    world.apply("default", {"thresholds": {"temperatureExcludeC": 80}})
    world.until(lambda: world.config()["thresholds"]["temperature_exclude_c"] == 80, "the edit", 5)
    assert world.icl()["spec"]["thresholds"]["temperatureExcludeC"] == 80


def test_columns_and_the_story(world: Rig) -> None:
    """`kubectl get icl` shows a line; `kubectl describe` tells conditions and Events."""
    eight, sixteen = f"{world.namespace}-8", f"{world.namespace}-16"
    world.apply("mine", {"models": [{"name": "m:1b"}]})
    world.start()
    world.until(lambda: world.config(), "a configuration")
    for board in (eight, sixteen):
        world.reports(board, resident={"m:1b": 1.0}, temperature_c=52.0)
    world.routes()
    world.until_says("Ready", "True", "Serving", "mine", 45)

    lines = world.kube.kubectl("get", "icl").splitlines()
    assert lines[0].split() == ["NAME", "READY", "NODES", "MODELS", "QUEUE", "HOTTEST", "AGE"]
    assert lines[1].split()[:5] == ["mine", "True", "2/2", "1/1", "0"]
    assert "50°C" in lines[1]
    story = world.kube.kubectl("describe", "icl", "mine")
    for word in ("ModelsPlaced", "Serving", "ConfigWritten", "BoardJoined", "NoRouter"):
        assert word in story, word


def test_the_configuration_comes_back_when_it_is_lost(world: Rig) -> None:
    """Level-triggered: deleted, or written over by hand, it is right again within ten seconds."""
    world.start()
    world.until(lambda: world.config(), "a configuration")
    generation = world.config()["generation"]
    with world.client as client:
        client.delete(keys.CONFIG)
        world.until(lambda: world.config().get("generation", 0) > generation, "the rewrite", 15)
        client.set(keys.CONFIG, b"nonsense")
        world.until(lambda: world.config().get("generation", 0) > generation + 1, "again", 15)


@pytest.fixture
def router(world: Rig, tmp_path: Path) -> Any:
    """A real router on the same store; its URL."""
    port = free_port()
    argv = [sys.executable, "-m", "orion_router.main", f"--redis-addr={world.redis_addr}",
            f"--http-port={port}", "--metrics-port=0", "--router-id=router-1"]  # fmt: skip
    program = Program("router", argv, tmp_path / "router.log", {})
    program.start()
    yield f"http://127.0.0.1:{port}"
    program.stop()


def test_thresholds_change_the_routers_decisions_within_seconds(world: Rig, router: str) -> None:
    """A board at 60 °C takes work; after `kubectl apply` of a lower threshold it does not."""
    eight = f"{world.namespace}-8"
    world.apply("mine", {})
    world.start()
    world.until(lambda: world.config(), "a configuration")

    def reasons() -> list[str] | None:
        world.reports(eight, temperature_c=60.0)
        found = {n["name"]: n for n in httpx.get(f"{router}/v1/nodes").json()["nodes"]}
        return found[eight]["reasons"] if eight in found else None

    world.until(lambda: reasons() == [], "the board to be eligible")
    world.apply("mine", {"thresholds": {"temperatureExcludeC": 50, "temperatureReturnC": 45}})
    applied_s = time.monotonic()
    world.until(lambda: reasons() == ["hot"], "the decision to change", 5)
    assert time.monotonic() - applied_s < 5
    world.until_says("ConfigApplied", "True", "Applied", "mine", 45)


def test_cordon_reaches_the_router(world: Rig, router: str) -> None:
    """The board drains there, too, and is back after uncordon."""
    eight = f"{world.namespace}-8"
    world.start()
    world.until(lambda: world.config(), "a configuration")

    def draining() -> bool | None:
        world.reports(eight)
        found = {n["name"]: n for n in httpx.get(f"{router}/v1/nodes").json()["nodes"]}
        return found[eight]["draining"] if eight in found else None

    world.until(lambda: draining() is False, "the board")
    world.kube.kubectl("cordon", eight)
    world.until(lambda: draining() is True, "the drain", 10)
    world.kube.kubectl("uncordon", eight)
    world.until(lambda: draining() is False, "the board's return", 10)


def planned(world: Rig) -> dict[str, list[str]]:
    """Model to boards, without the prefix that makes them unique."""
    cut = len(world.namespace) + 1
    return {m["name"]: [n[cut:] for n in m["nodes"]] for m in world.config().get("models", ())}


def test_models_are_placed_and_their_story_is_told(world: Rig) -> None:
    """Planned, loading, resident; one that fits nowhere says the arithmetic; removed again."""
    eight, sixteen = f"{world.namespace}-8", f"{world.namespace}-16"
    spec = {"models": [{"name": "a:3b", "placement": {"classes": ["8gb"]}}, {"name": "b:1b"}]}
    world.apply("mine", spec)
    world.start()
    world.until(lambda: planned(world) == {"a:3b": ["8"], "b:1b": ["16"]}, "the plan")
    world.reports(eight)
    world.reports(sixteen)
    world.routes()
    world.until_says("ModelsPlaced", "False", "Loading", "mine", 45)
    world.reports(eight, resident={"a:3b": 2.0})
    world.reports(sixteen, resident={"b:1b": 1.0})
    world.until_says("ModelsPlaced", "True", "Resident", "mine", 45)

    world.apply("mine", {"models": [*spec["models"], {"name": "huge:70b"}]})
    message = world.until_says("ModelsPlaced", "False", "DoesNotFit", "mine", 45)
    assert "huge:70b: on 0 of 1 boards; needs 47.0 GiB (file 40.4 GiB by its name" in message
    assert "GiB system - 1.0 GiB for b:1b" in message
    assert f"{eight} has room for" in message
    assert planned(world)["a:3b"] == ["8"]
    world.apply("mine", {"models": [{"name": "b:1b"}]})
    world.until(lambda: planned(world) == {"b:1b": ["16"]}, "the removal", 5)


def test_a_restarted_operator_moves_nothing(world: Rig) -> None:
    """The plan in force is read from the store; no generation is added, no status written."""
    world.apply("mine", {"models": [{"name": "a:1b"}, {"name": "b:1b"}]})
    world.start()
    world.until(lambda: len(planned(world)) == 2, "the plan")
    world.until(lambda: world.icl("mine")["status"]["conditions"], "a status")
    world.operator.stop()
    before = world.config()
    events = len(world.kube.items("events"))
    world.start()
    late = world.add_node("late", 15.6)
    world.until(lambda: late in world.config()["nodes"], "a pass")

    assert planned(world) == {m["name"]: [n[len(world.namespace) + 1:] for n in m["nodes"]]
                              for m in before["models"]}  # fmt: skip
    assert world.config()["generation"] == before["generation"] + 1
    assert len(world.kube.items("events")) - events <= 3


def test_one_resource_is_in_force(world: Rig) -> None:
    """A person's supersedes the default; a second one conflicts; deleting both brings it back."""
    world.start()
    world.until(lambda: world.icl(), "the default")
    world.apply("mine", {"thresholds": {"temperatureExcludeC": 71}})
    message = world.until_says("Ready", "False", "Superseded")
    assert "mine is in force" in message
    world.until(lambda: world.config()["thresholds"]["temperature_exclude_c"] == 71, "mine")

    made_s = int(time.time())  # creation times are in whole seconds, and the older one wins
    world.until(lambda: time.time() > made_s + 1, "the next second")
    world.apply("second", {"thresholds": {"temperatureExcludeC": 72}})
    assert "mine is in force" in world.until_says("Ready", "False", "Conflict", "second")
    assert world.config()["thresholds"]["temperature_exclude_c"] == 71
    world.kube.kubectl("delete", "icl", "mine", "second")
    world.until(lambda: world.config()["thresholds"]["temperature_exclude_c"] == 75, "the default")
    world.kube.kubectl("delete", "icl", "default")
    world.until(lambda: world.icl(), "a new default")


def test_an_old_definition_that_lets_nonsense_pass_breaks_nothing(world: Rig) -> None:
    """What Python refuses is said in the status; the last good configuration stays."""
    kube = Kube("default")
    world.apply("mine", {"thresholds": {"temperatureExcludeC": 77}})
    world.start()
    world.until(lambda: world.config(), "a configuration")
    loose = ('[{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/'
             'properties/thresholds/properties/temperatureExcludeC/maximum"}]')  # fmt: skip
    kube.kubectl(
        "patch", "crd", "inferenceclusters.inference.orion.dev", "--type=json", "-p", loose
    )
    try:
        world.until(lambda: not _refused(world), "the looser definition")
        message = world.until_says("Ready", "False", "Invalid", "mine", 45)
        assert "spec.thresholds.temperatureExcludeC: must be from 30 to 110, is 500" in message
        assert world.config()["thresholds"]["temperature_exclude_c"] == 77
    finally:
        from orion_operator.crd import as_yaml

        world.kube.kubectl("delete", "icl", "mine")
        kube.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=as_yaml())


def _refused(world: Rig) -> bool:
    world.apply("mine", {"thresholds": {"temperatureExcludeC": 500}})
    return False
