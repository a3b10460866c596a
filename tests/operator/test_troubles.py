"""Bad worlds: each ends in a condition or a log line that names the cause and the remedy."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import httpx
import pytest
import redis

from e2e.kube import Kube
from orion_contracts import keys
from orion_lab.stores import StoreProcess, free_port
from servers.operators import Rig, rig

pytestmark = pytest.mark.cluster


def test_a_store_that_is_not_there(lonely: Rig) -> None:
    """The operator runs, says so, and is itself ready: what can be done without it is done."""
    lonely.start()
    message = lonely.until_says("Ready", "False", "StoreUnreachable")
    assert f"the store at {lonely.redis_addr} does not answer" in message
    assert lonely.says("ConfigApplied")[:2] == ("False", "StoreUnreachable")

    base = f"http://127.0.0.1:{lonely.port}"
    assert httpx.get(f"{base}/livez").status_code == 200
    lonely.until(lambda: httpx.get(f"{base}/readyz").status_code == 200, "to be ready")
    health = httpx.get(f"{base}/health")
    assert health.headers["content-type"].startswith("application/health+json")
    assert (health.status_code, health.json()["status"]) == (200, "warn")


def test_a_store_that_comes_later_and_goes_again(lonely: Rig, tmp_path: Path) -> None:
    """No restart is needed; its own absence is not taken for the boards' silence."""
    lonely.start()
    lonely.until_says("Ready", "False", "StoreUnreachable")
    port = int(lonely.redis_addr.rpartition(":")[2])
    with StoreProcess("valkey9", tmp_path / "late", port=port) as store:
        lonely.store = store
        lonely.until(lambda: lonely.config(), "a configuration", 20)
        lonely.reports(f"{lonely.namespace}-8")
        lonely.routes()
        lonely.until_says("Ready", "True", "Serving", within_s=60)
    lonely.until_says("Ready", "False", "StoreUnreachable", within_s=60)


@pytest.mark.parametrize(
    ("config", "password", "reason", "remedy"),
    [
        ({}, "secret", "StoreRefusesPassword", "operator-password"),
        ({"appendonly": "no"}, None, "StoreNotDurable", "appendonly yes"),
        ({"maxmemory-policy": "allkeys-lru"}, None, "StoreEvicts", "noeviction"),
    ],
)
def test_a_store_that_cannot_be_used(
    definition: None, tmp_path: Path, config: dict[str, str], password: str | None, reason: str,
    remedy: str,
) -> None:  # fmt: skip
    """A wrong password, no append-only file, an eviction policy: Ready is False and says why."""
    server = StoreProcess("valkey9", tmp_path / "store", config=config, password=password)
    with server as store, rig(tmp_path, store) as world:
        world.add_node("8", 7.7)
        world.start()

        assert remedy in world.until_says("Ready", "False", reason)
        assert "secret" not in world.operator.tail(1000)


def test_a_user_without_rights_is_named(definition: None, tmp_path: Path) -> None:
    """The producer's user cannot do the operator's work."""
    with StoreProcess("valkey9", tmp_path / "store") as store, rig(tmp_path, store) as world:
        with redis.Redis.from_url(store.url) as client:
            client.execute_command("ACL", "SETUSER", "weak", "on", ">w", "~*", "+ping", "+info",
                                   "+fcall")  # fmt: skip
        world.add_node("8", 7.7)
        world.start("--redis-username=weak", "--redis-password=w")

        message = world.until_says("Ready", "False", "StoreForbids")
        assert "function|load" in message
        assert "orion-inference-operator acl" in message


def test_two_operators(world: Rig) -> None:
    """One changes things; when it is killed, the other takes over after the Lease ran out."""
    second = world.program("second", port=free_port())
    world.others.append(second)
    world.start()
    second.start()
    world.until(lambda: "waits for operator" in second.tail(100), "the second to wait")
    world.apply("mine", {"thresholds": {"temperatureExcludeC": 71}})
    world.until(lambda: world.config()["thresholds"]["temperature_exclude_c"] == 71, "71")
    assert "generation" not in second.tail(1000)

    assert world.operator.pid
    world.operator.kill()
    began_s = time.monotonic()
    world.apply("mine", {"thresholds": {"temperatureExcludeC": 72}})
    world.until(lambda: world.config()["thresholds"]["temperature_exclude_c"] == 72, "72", 60)
    assert time.monotonic() - began_s > 10


def test_an_orderly_end_hands_over_at_once(world: Rig) -> None:
    """SIGTERM gives the Lease up: the next operator need not wait; it ends within seconds."""
    world.start()
    began_s = time.monotonic()
    assert world.operator.stop() == 0
    assert time.monotonic() - began_s < 10
    lease = world.kube.get("lease/orion-inference-operator")
    assert not lease["spec"].get("holderIdentity")

    began_s = time.monotonic()
    world.start()
    assert time.monotonic() - began_s < 10


def test_an_operator_that_was_stopped_for_a_while_goes_on(world: Rig) -> None:
    """Frozen and thawed it finds what has changed, and nothing was broken meanwhile."""
    world.start()
    world.until(lambda: world.config(), "a configuration")
    assert world.operator.pid
    os.kill(world.operator.pid, signal.SIGSTOP)
    world.apply("mine", {"thresholds": {"temperatureExcludeC": 71}})
    late = world.add_node("late", 7.7)
    os.kill(world.operator.pid, signal.SIGCONT)

    world.until(lambda: world.config()["thresholds"]["temperature_exclude_c"] == 71, "the spec")
    world.until(lambda: world.labels(late)[0] == "8gb", "the label")


def test_another_installation_on_the_same_store(
    definition: None, world: Rig, tmp_path: Path
) -> None:
    """The one that was overwritten says by whom, and does not fight."""
    world.start()
    world.until(lambda: world.config(), "a configuration")
    other = tmp_path / "other"
    other.mkdir()
    with rig(other, world.store) as rival:
        rival.start()
        rival.until(lambda: rival.namespace in rival.config()["source"], "the rival's document")
        message = world.until_says("ConfigApplied", "False", "StoreShared", within_s=60)
        assert rival.namespace in message
        assert rival.namespace in world.config()["source"]


def test_an_image_that_a_board_does_not_have(world: Rig) -> None:
    """From the status of pods of the release: the board, the image, the command."""
    world.start(f"--release={world.namespace}")
    world.until(lambda: world.config(), "a configuration")
    for name, labels in (("ours", {"app.kubernetes.io/instance": world.namespace}), ("other", {})):
        waits(world, name, labels)

    message = world.until_says("ImageMissing", "True", "CannotPull", within_s=45)
    assert f"{world.namespace}-8 cannot get orion.invalid/ours:1 (ErrImageNeverPull)" in message
    assert "k3s ctr images import" in message
    assert "orion.invalid/other" not in message
    world.kube.kubectl("delete", "pod", "ours", "--grace-period=0", "--force")
    world.until_says("ImageMissing", "False", "AllThere", within_s=45)


def waits(world: Rig, name: str, labels: dict[str, str]) -> None:
    """A pod whose container waits for its image, as a kubelet would say."""
    image = f"orion.invalid/{name}:1"
    world.kube.apply(
        {"apiVersion": "v1", "kind": "Pod",
         "metadata": {"name": name, "namespace": world.namespace, "labels": labels},
         "spec": {"nodeName": f"{world.namespace}-8", "automountServiceAccountToken": False,
                  "containers": [{"name": "worker", "image": image}]}}
    )  # fmt: skip
    state = {"waiting": {"reason": "ErrImageNeverPull", "message": "not there"}}
    container = {"name": "worker", "image": image, "imageID": "", "ready": False,
                 "restartCount": 0, "state": state}  # fmt: skip
    status = json.dumps({"status": {"containerStatuses": [container]}})
    world.kube.kubectl("patch", "pod", name, "--subresource=status", "--type=merge", "-p", status)


def test_a_clean_up_while_the_operator_runs(world: Rig) -> None:
    """As Helm's hook: labels, taints and conditions off our nodes and no others, the
    configuration out of the store; the operator that still runs does not undo it."""
    eight, foreign = f"{world.namespace}-8", world.add_node("foreign", 7.7, **LAB)
    world.apply("mine", {"feedback": {"nodeConditions": True, "taints": True}})
    world.start()
    world.until(lambda: world.config(), "a configuration")
    world.reports(eight, temperature_c=80.0)

    def ours() -> str:
        node = world.node(eight)
        labels = node["metadata"].get("labels", {})
        return json.dumps([labels, node["spec"], node["status"]["conditions"]])

    world.until(lambda: "gated" in ours() and "InferenceReady" in ours(), "the feedback", 40)
    cleanup = world.run("cleanup")
    world.until(lambda: cleanup.gone is not None, "the end of the clean-up")
    assert cleanup.gone == 0
    waits = "this operator waits for cleanup"
    world.until(lambda: waits in world.operator.tail(1000), "the operator to stand down")
    late = world.add_node("late", 7.7)
    holder = world.kube.get("lease/orion-inference-operator")["spec"]["holderIdentity"]
    assert holder == "cleanup"

    assert "inference.orion.dev" not in ours()
    assert "InferenceReady" not in ours()
    assert world.labels(f"{world.namespace}-16") == ("", "")
    assert world.labels(foreign) == ("", "lab")
    assert world.labels(late) == ("", "")
    assert world.config() == {}
    with world.client as client:
        assert not client.exists(keys.CONFIG_APPLIED)


LAB = {"inference.orion.dev/owner": "lab"}


def test_a_clean_up_without_anything(lonely: Rig) -> None:
    """No store, no operator, no definition of ours to speak of: it ends well, within bounds."""
    began_s = time.monotonic()
    cleanup = lonely.run("cleanup", "--namespace=nowhere-to-be-found")
    lonely.until(lambda: cleanup.gone is not None, "its end", 40)

    assert cleanup.gone == 0
    assert time.monotonic() - began_s < 35
    assert "Traceback" not in cleanup.tail(200)


def test_a_namespace_goes_with_the_operator_dead(world: Rig) -> None:
    """Resources, Events, Lease: nothing waits for anybody."""
    world.start()
    world.until(lambda: world.icl().get("status"), "a status")
    world.apply("mine", {"models": [{"name": "m"}]})
    world.until(lambda: len(world.config()["models"]) == 1, "the model")
    world.operator.kill()
    began_s = time.monotonic()
    world.kube.kubectl("delete", "namespace", world.namespace, "--timeout=60s")

    assert time.monotonic() - began_s < 60
    assert world.namespace not in Kube("default").kubectl("get", "namespaces")
