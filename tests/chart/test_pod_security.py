"""Pods as Pod Security's *restricted* wants them; numbers are those of the security checklist."""

from __future__ import annotations

from typing import Any

import pytest

from chart import matrix
from chart.rendering import Object, Pod, objects, pods

pytestmark = [pytest.mark.needs("helm"), pytest.mark.timeout(60)]
every_combination = pytest.mark.parametrize("name", matrix.COMBINATIONS)
RESTRICTED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
    "projected", "secret",
}  # fmt: skip
DEVIANT = "prepare"
"""The one container that is not restricted, and only where models lie in a hostPath."""


def containers(found: list[Object]) -> list[tuple[Pod, Object]]:
    """Every container with its pod, the deviant left out."""
    return [(p, c) for p in pods(found) for c in p.containers if c["name"] != DEVIANT]


def volume_kind(volume: Object) -> str:
    """Which kind of volume it is."""
    (found,) = set(volume) - {"name"}
    return found


@every_combination
def test_01_containers_have_no_rights(name: str) -> None:
    """Not root, by number; nothing to escalate with; no capability; seccomp's default profile."""
    for pod, container in containers(objects(matrix.COMBINATIONS[name])):
        where = f"{pod}: {container['name']}"
        security: dict[str, Any] = pod.spec["securityContext"]
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert (security["runAsUser"], security["runAsGroup"]) == (64000, 64000), where
        assert security["runAsNonRoot"] is True, where
        own: dict[str, Any] = container["securityContext"]
        assert own["runAsNonRoot"] is True, where
        assert own["allowPrivilegeEscalation"] is False, where
        assert own["capabilities"] == {"drop": ["ALL"]}, where
        assert not {"privileged", "runAsUser", "procMount", "seccompProfile"} & set(own), where


@every_combination
def test_02_root_file_systems_are_read_only(name: str) -> None:
    """What must be written has a place of bounded size: /tmp is an emptyDir with a limit."""
    found = objects(matrix.COMBINATIONS[name])
    for pod, container in containers(found):
        where = f"{pod}: {container['name']}"
        assert container["securityContext"]["readOnlyRootFilesystem"] is True, where
        mounts = {m["mountPath"]: m["name"] for m in container["volumeMounts"]}
        volumes = {v["name"]: v for v in pod.spec["volumes"]}
        assert "emptyDir" in volumes[mounts["/tmp"]], where
    for pod in pods(found):
        for volume in pod.spec["volumes"]:
            if "emptyDir" in volume:
                assert "sizeLimit" in volume["emptyDir"], f"{pod}: {volume['name']}"


@every_combination
def test_03_nothing_of_the_host_is_shared(name: str) -> None:
    """No host namespace, host port or privilege; a hostPath only for models, only in that mode."""
    values = matrix.COMBINATIONS[name]
    for pod in pods(objects(values)):
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(pod.spec), str(pod)
        for container in pod.containers:
            assert not [p for p in container.get("ports", ()) if "hostPort" in p], str(pod)
        host = [v["name"] for v in pod.spec["volumes"] if volume_kind(v) not in RESTRICTED_VOLUMES]
        allowed = ["models"] if DEVIANT in {c["name"] for c in pod.containers} else []
        assert host == allowed, str(pod)


@every_combination
def test_03_only_host_path_mode_deviates(name: str) -> None:
    """Mode hostPath: that volume, and `prepare` with the one capability CHOWN. Else nothing."""
    values = matrix.COMBINATIONS[name]
    ollama = values.get("ollama", {})
    host_path = ollama.get("mode") != "host" and not ollama.get("storage")
    deviant = [
        (pod, c) for pod in pods(objects(values)) for c in pod.containers if c["name"] == DEVIANT
    ]

    assert bool(deviant) == host_path
    for pod, container in deviant:
        assert pod.component == "worker"
        assert container["securityContext"] == {
            "runAsNonRoot": False,
            "runAsUser": 0,
            "runAsGroup": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["CHOWN"]},
        }
        mounts = {m["name"]: m.get("readOnly", False) for m in container["volumeMounts"]}
        assert mounts == {"models": False, "prepare": True}
        (models,) = (v for v in pod.spec["volumes"] if v["name"] == "models")
        assert set(models["hostPath"]) == {"path", "type"}


@every_combination
def test_05_every_container_has_requests_and_limits(name: str) -> None:
    """Memory and processor; Ollama's memory limit is its request, so that its death is its own."""
    for pod in pods(objects(matrix.COMBINATIONS[name])):
        for container in pod.containers:
            where = f"{pod}: {container['name']}"
            resources = container["resources"]
            for kind in ("requests", "limits"):
                assert set(resources[kind]) == {"cpu", "memory"}, where
            if container["name"] == "ollama":
                assert resources["limits"]["memory"] == resources["requests"]["memory"], where


@every_combination
def test_06_only_the_operator_has_a_token(name: str) -> None:
    """Its Deployment and its hook, which run the same account; no account mounts one by itself."""
    found = objects(matrix.COMBINATIONS[name])
    with_token = {p.component for p in pods(found) if p.spec["automountServiceAccountToken"]}
    accounts = [each for each in found if each["kind"] == "ServiceAccount"]

    assert with_token == {"operator", "cleanup"}
    assert accounts
    assert not [a for a in accounts if a["automountServiceAccountToken"]]


@every_combination
def test_services_of_the_namespace_leave_no_variables(name: str) -> None:
    """A Service `orion-http` would set ORION_HTTP_PORT, which a flag of ours reads."""
    for pod in pods(objects(matrix.COMBINATIONS[name])):
        assert pod.spec["enableServiceLinks"] is False, str(pod)
