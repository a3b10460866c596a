"""Bad worlds: each ends in a condition that names the cause and the remedy, and heals."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from e2e.conftest import wait_ready
from e2e.kube import Kube, Object, Refused, condition, until
from e2e.world import World


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


def doctor(kube: Kube) -> str:
    """`orion doctor` where the operator runs; what it found is in its output either way."""
    try:
        return kube.kubectl("exec", "deploy/orion-inference-operator", "--", "orion", "doctor")
    except Refused as error:
        return str(error)


def test_the_store_is_away(kube: Kube) -> None:
    """Ready=False names the store and the remedy; router and operator go on and say so."""
    kube.kubectl("scale", "statefulset/orion-inference-store", "--replicas=0")
    try:
        assert "orion-inference-store" in said(kube, "Ready", "StoreUnreachable")
        assert "FAIL  store" in doctor(kube)
        restarts = [c["restartCount"] for p in kube.pods("router")
                    for c in p["status"]["containerStatuses"]]  # fmt: skip
        assert restarts == [0]
    finally:
        kube.kubectl("scale", "statefulset/orion-inference-store", "--replicas=1")


def test_a_wrong_password(kube: Kube) -> None:
    """StoreRefusesPassword, with what to do."""
    name = "secret/orion-inference-store"
    right = kube.get(name)["data"]["operator-password"]
    wrong = base64.b64encode(b"wrong").decode()
    try:
        _patch(kube, name, {"data": {"operator-password": wrong}})
        kube.kubectl("rollout", "restart", "deployment/orion-inference-operator")
        assert "password" in said(kube, "Ready", "StoreRefusesPassword")
    finally:
        _patch(kube, name, {"data": {"operator-password": right}})
        kube.kubectl("rollout", "restart", "deployment/orion-inference-operator")
        kube.kubectl("rollout", "status", "deployment/orion-inference-operator")


def test_an_image_that_is_nowhere(kube: Kube, world: World) -> None:
    """ImageMissing names the image and the command that brings it."""
    sets = "daemonset/orion-inference-worker-16gb"
    try:
        kube.kubectl("set", "image", sets, "worker=localhost/nowhere:1")
        assert "localhost/nowhere:1" in said(kube, "ImageMissing", "CannotPull", 120)
    finally:
        kube.kubectl("set", "image", sets, f"worker={world.image}")
        kube.kubectl("rollout", "status", sets, "--timeout=60s")


def test_no_ollama(kube: Kube) -> None:
    """Healthy=False names the board and its engine; nothing crash-loops."""
    sets = "daemonset/orion-inference-worker-16gb"
    spec = kube.get(sets)["spec"]["template"]["spec"]
    at = next(i for i, c in enumerate(spec["initContainers"]) if c["name"] == "ollama")
    command = spec["initContainers"][at]["command"]
    place = f"/spec/template/spec/initContainers/{at}/command"
    try:
        _replace(kube, sets, place, ["sleep", "600"])
        said(kube, "Healthy", "BoardsInTrouble", 120, about="see the container ollama")
        assert "ollama" in doctor(kube).lower()
    finally:
        _replace(kube, sets, place, command)


def test_two_operators(kube: Kube) -> None:
    """One holds the Lease; the other waits, ready to take over, and changes nothing."""
    before = kube.items("leases")[0]["spec"]["holderIdentity"]
    kube.kubectl("scale", "deployment/orion-inference-operator", "--replicas=2")
    try:
        until(lambda: len(kube.pods("operator")) == 2, 60, "two operators")
        kube.kubectl("rollout", "status", "deployment/orion-inference-operator", "--timeout=90s")
        assert kube.items("leases")[0]["spec"]["holderIdentity"] == before
    finally:
        kube.kubectl("scale", "deployment/orion-inference-operator", "--replicas=1")


def _patch(kube: Kube, what: str, change: Object) -> None:
    kube.kubectl("patch", what, "--type=merge", "-p", json.dumps(change))


def _replace(kube: Kube, what: str, path: str, value: object) -> None:
    change = [{"op": "replace", "path": path, "value": value}]
    kube.kubectl("patch", what, "--type=json", "-p", json.dumps(change))
