"""Bad worlds: each ends in a condition that names the cause and the remedy, and heals."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from e2e.boards import NAME as SECOND
from e2e.conftest import heal_pretenders, wait_ready
from e2e.doctor import doctor
from e2e.kube import Kube, Object, condition, is_ready, until
from e2e.nodes import workers_on
from e2e.world import World
from orion_contracts.kubernetes import CRD_NAME

STORE = "statefulset/orion-inference-store"


@pytest.fixture(autouse=True)
def _healed(kube: Kube) -> Iterator[None]:
    """Each test begins and ends with a system that is well."""
    wait_ready(kube)
    yield
    wait_ready(kube)


def said(kube: Kube, kind: str, reason: str, within_s: float = 90.0, about: str = "") -> str:
    """The message of a condition, once it has this reason and tells about this."""

    def found() -> Object | None:
        seen = [condition(each, kind) for each in kube.items("icl") if not _superseded(each)]
        return next(
            (each for each in seen if each["reason"] == reason and about in each["message"]), None
        )

    seen = until(found, within_s, f"{kind} says {reason} {about}")
    assert seen is not None
    return str(seen["message"])


def _superseded(resource: Object) -> bool:
    """Such a resource has no other condition: it is not in force."""
    return bool(condition(resource, "Ready")["reason"] == "Superseded")


def test_the_store_is_away(kube: Kube) -> None:
    """Ready=False names the store and the remedy; router and operator go on and say so."""
    kube.kubectl("scale", STORE, "--replicas=0")
    try:
        assert "orion-inference-store" in said(kube, "Ready", "StoreUnreachable")
        doctor(kube).finding("FAIL", "store", "no store answers at orion-inference-store:6379")
        restarts = [c["restartCount"] for p in kube.pods("router")
                    for c in p["status"]["containerStatuses"]]  # fmt: skip
        assert restarts == [0]
    finally:
        kube.kubectl("scale", STORE, "--replicas=1")


def test_the_store_is_away_when_the_operator_starts(kube: Kube) -> None:
    """It starts, says so, and doctor in it names the store's pod as the place to look at."""
    kube.kubectl("scale", STORE, "--replicas=0")
    try:
        until(lambda: not kube.pods("store"), 60, "the store is gone")
        restarted(kube)
        assert "look at its pod" in said(kube, "Ready", "StoreUnreachable")
        found = doctor(kube)
        remedy = found.finding("FAIL", "store", "no store answers at orion-inference-store:6379")
        assert "app.kubernetes.io/component=store" in remedy
        found.finding("FAIL", "icl", "Ready is False, StoreUnreachable")
    finally:
        kube.kubectl("scale", STORE, "--replicas=1")


def test_a_wrong_password(kube: Kube) -> None:
    """StoreRefusesPassword, with what to do; doctor says the same."""
    name = "secret/orion-inference-store"
    right = kube.get(name)["data"]["operator-password"]
    wrong = base64.b64encode(b"wrong").decode()
    try:
        _patch(kube, name, {"data": {"operator-password": wrong}})
        restarted(kube)
        message = said(kube, "Ready", "StoreRefusesPassword")
        assert "compare the Secret" in message
        assert "operator-password" in message
        found = doctor(kube)
        assert "the Secret with the passwords" in found.finding("FAIL", "store", "password")
        found.finding("FAIL", "icl", "Ready is False, StoreRefusesPassword")
    finally:
        _patch(kube, name, {"data": {"operator-password": right}})
        restarted(kube)


def test_a_store_that_keeps_nothing(kube: Kube) -> None:
    """No append-only file: StoreNotDurable, and doctor says what a restart would cost."""
    name = "configmap/orion-inference-store"
    right = kube.get(name)["data"]["store.conf"]
    wrong = right.replace("appendonly yes", "appendonly no")
    assert wrong != right
    try:
        _patch(kube, name, {"data": {"store.conf": wrong}})
        kube.kubectl("delete", "pod", "-l", "app.kubernetes.io/component=store")
        assert "appendonly yes" in said(kube, "Ready", "StoreNotDurable")
        found = doctor(kube)
        remedy = found.finding("FAIL", "durability", "a restart forgets every request")
        assert "appendonly yes" in remedy
        found.finding("FAIL", "icl", "Ready is False, StoreNotDurable")
    finally:
        _patch(kube, name, {"data": {"store.conf": right}})
        kube.kubectl("delete", "pod", "-l", "app.kubernetes.io/component=store")


def test_an_image_that_is_nowhere(kube: Kube, world: World) -> None:
    """ImageMissing names the image and the command that brings it; doctor repeats it."""
    heal_pretenders(kube)
    sets = "daemonset/orion-inference-worker-16gb"
    try:
        kube.kubectl("set", "image", sets, "worker=localhost/nowhere:1")
        message = said(kube, "ImageMissing", "CannotPull", 120)
        assert f"{world.node} cannot get localhost/nowhere:1" in message
        assert "k3s ctr images import" in message
        remedy = doctor(kube).finding("FAIL", "icl", f"ImageMissing is True, CannotPull: {message}")
        assert "describe icl" in remedy
    finally:
        kube.kubectl("set", "image", sets, f"worker={world.image}")
        until(lambda: _runs(kube, world), 90, "the worker is back")


def test_no_ollama(kube: Kube, world: World) -> None:
    """Healthy=False names the board and its engine, and doctor the container; nothing
    crash-loops."""
    heal_pretenders(kube)
    sets = "daemonset/orion-inference-worker-16gb"
    spec = kube.get(sets)["spec"]["template"]["spec"]
    at = next(i for i, c in enumerate(spec["initContainers"]) if c["name"] == "ollama")
    command = spec["initContainers"][at]["command"]
    place = f"/spec/template/spec/initContainers/{at}/command"
    trouble = f"{world.node} is EngineUnreachable (its worker cannot use Ollama: see the container"
    try:
        _replace(kube, sets, place, ["sleep", "600"])
        said(kube, "Healthy", "BoardsInTrouble", 120, about=trouble)
        found = doctor(kube)
        # Another board that works makes a warning of it; alone, it is a failure.
        others = kube.items("pods", "-l", f"test={SECOND}")
        remedy = found.finding(
            "warn" if others else "FAIL", "boards", f"{world.node} cannot use its Ollama: "
        )
        assert "container ollama of its worker's pod" in remedy
        found.finding("warn", "icl", f"Healthy is False, BoardsInTrouble: {trouble}")
        restarts = [c["restartCount"] for p in workers_on(kube, world.node)
                    for c in p["status"]["initContainerStatuses"]]  # fmt: skip
        assert set(restarts) == {0}
    finally:
        _replace(kube, sets, place, command)


def test_a_definition_that_the_operator_may_not_upgrade(kube: Kube) -> None:
    """DefinitionOutdated and doctor say how; with the right given back it upgrades by itself."""
    role = f"clusterrole/{kube.namespace}-orion-inference-operator"
    rules = kube.get(role)["rules"]
    at = next(i for i, r in enumerate(rules) if "customresourcedefinitions" in r["resources"])
    mark = "inference.orion.dev/crd-revision"
    revision = kube.get(f"crd/{CRD_NAME}")["metadata"]["annotations"][mark]
    try:
        _replace(kube, role, f"/rules/{at}/verbs", ["get"])
        kube.kubectl("annotate", "crd", CRD_NAME, f"{mark}=0", "--overwrite")
        restarted(kube)
        assert "kubectl apply --server-side" in said(kube, "Healthy", "DefinitionOutdated")
        found = doctor(kube)
        older = f"revision 0 is older than this operator's {revision}"
        assert "kubectl apply --server-side" in found.finding("FAIL", "definition", older)
        found.finding("warn", "icl", "Healthy is False, DefinitionOutdated")
    finally:
        _replace(kube, role, f"/rules/{at}/verbs", rules[at]["verbs"])
        restarted(kube)
    assert kube.get(f"crd/{CRD_NAME}")["metadata"]["annotations"][mark] == revision


def _runs(kube: Kube, world: World) -> bool:
    """Whether the real board's worker is ready, with the image that there is."""
    workers = [p for p in workers_on(kube, world.node) if "test" not in p["metadata"]["labels"]]
    images = {c["image"] for p in workers for c in p["spec"]["containers"]}
    return images == {world.image} and all(map(is_ready, workers))


def restarted(kube: Kube) -> None:
    """The operator's Deployment, begun anew and ready."""
    kube.kubectl("rollout", "restart", "deployment/orion-inference-operator")
    kube.kubectl("rollout", "status", "deployment/orion-inference-operator", "--timeout=90s")


def _patch(kube: Kube, what: str, change: Object) -> None:
    kube.kubectl("patch", what, "--type=merge", "-p", json.dumps(change))


def _replace(kube: Kube, what: str, path: str, value: object) -> None:
    change = [{"op": "replace", "path": path, "value": value}]
    kube.kubectl("patch", what, "--type=json", "-p", json.dumps(change))
