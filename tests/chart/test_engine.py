"""Ollama and the secrets: checks 11 and 16 to 18, and 37 and 38, of the security checklist."""

from __future__ import annotations

import base64
import json
import re

import pytest

from chart import matrix
from chart.rendering import CHART, Object, Pod, Refused, kind, objects, pods, text

pytestmark = [pytest.mark.needs("helm"), pytest.mark.timeout(60)]
every_combination = pytest.mark.parametrize("name", matrix.COMBINATIONS)
ROLES = ("router", "worker", "operator", "producer")
READS = {
    "router": {"router-password"},
    "worker": {"worker-password"},
    "operator": {"operator-password"},
    "cleanup": {"operator-password"},
    "store": {f"{role}-password" for role in ROLES},
    "test": set[str](),
}
"""Which of the store's passwords a pod gets. The store's own: to write its users' file."""


def environment(container: Object) -> dict[str, str]:
    """Its variables that have a plain value."""
    return {each["name"]: each.get("value", "") for each in container.get("env", ())}


@every_combination
def test_11_ollama_is_nobodys_but_its_agents(name: str) -> None:
    """It listens on 127.0.0.1, has no port and no Service leads to it."""
    found = objects(matrix.COMBINATIONS[name])
    engines = [c for p in pods(found) for c in p.containers if c["name"] == "ollama"]

    for engine in engines:
        assert environment(engine)["OLLAMA_HOST"] == "127.0.0.1:11434"
        assert "ports" not in engine
    for service in kind(found, "Service"):
        selected = service["spec"]["selector"].items()
        targets = {port["targetPort"] for port in service["spec"]["ports"]}
        for each in pods(found):
            if selected <= dict(each.labels).items() and each.component == "worker":
                assert targets == {"metrics"}, service["metadata"]["name"]


def test_ollama_is_told_what_a_small_board_needs() -> None:
    """Slots, loaded models, a bounded prompt cache, patience with slow cards, no cloud."""
    found = {p.owner: environment(p.container("ollama")) for p in pods(objects()) if
             p.component == "worker"}  # fmt: skip
    large, small = (found[f"DaemonSet/orion-inference-worker-{name}"] for name in ("16gb", "8gb"))
    shared = {
        "OLLAMA_NUM_PARALLEL": "1", "OLLAMA_CONTEXT_LENGTH": "4096", "OLLAMA_LOAD_TIMEOUT": "15m",
        "OLLAMA_NO_CLOUD": "1", "OLLAMA_NOPRUNE": "1", "HOME": "/home/ollama",
    }  # fmt: skip

    assert shared.items() <= large.items()
    assert shared.items() <= small.items()
    assert (large["OLLAMA_MAX_LOADED_MODELS"], large["LLAMA_ARG_CACHE_RAM"]) == ("2", "512")
    assert (small["OLLAMA_MAX_LOADED_MODELS"], small["LLAMA_ARG_CACHE_RAM"]) == ("1", "256")


def test_environment_of_a_class_wins() -> None:
    """ollama.env is for all boards, nodeClasses.CLASS.ollama.env for one class."""
    values = {
        "ollama": {"env": {"OLLAMA_DEBUG": "0", "OLLAMA_FLASH_ATTENTION": "1"}},
        "nodeClasses": {"8gb": {"ollama": {"env": {"OLLAMA_DEBUG": "1"}}}},
    }
    found = {p.owner[-4:]: environment(p.container("ollama")) for p in pods(objects(values)) if
             p.component == "worker"}  # fmt: skip

    assert {k: v["OLLAMA_DEBUG"] for k, v in found.items()} == {"16gb": "0", "-8gb": "1"}
    assert {v["OLLAMA_FLASH_ATTENTION"] for v in found.values()} == {"1"}


def engine(values: matrix.Values) -> Object:
    """Ollama's container on a small board."""
    owner = "DaemonSet/orion-inference-worker-8gb"
    return next(p for p in pods(objects(values)) if p.owner == owner).container("ollama")


def test_no_variable_of_ollama_is_there_twice() -> None:
    """One that is given takes the place of the chart's, or is refused: server-side apply takes no
    list that has a name twice."""
    to_be_changed = {"OLLAMA_KEEP_ALIVE", "OLLAMA_NO_CLOUD", "OLLAMA_NOPRUNE"}
    there = set(environment(engine({})))

    assert to_be_changed < there
    for name in to_be_changed:
        given = engine({"ollama": {"env": {name: "mine"}}})["env"]
        assert [each["value"] for each in given if each["name"] == name] == ["mine"]
    for name in there - to_be_changed:
        with pytest.raises(Refused, match=rf"ollama\.env\.{name}: the chart sets this one itself"):
            engine({"ollama": {"env": {name: "mine"}}})


def test_a_secret_of_ollama_is_ollamas_alone() -> None:
    """ollama.envSecret: a reference in that container of each worker, and in no other."""
    found = objects({"ollama": {"envSecret": "proxy"}})
    having = {
        (each.component, container["name"]): container["envFrom"]
        for each in pods(found)
        for container in each.containers
        if "envFrom" in container
    }

    assert having == {("worker", "ollama"): [{"secretRef": {"name": "proxy"}}]}


def passwords_mounted(pod: Pod) -> set[str]:
    """The keys of the store's Secret that the pod gets, as files."""
    return {
        item["key"]
        for volume in pod.spec["volumes"]
        for item in volume.get("secret", {}).get("items", ())
        if "password" in item["key"]
    }


@every_combination
def test_16_passwords_come_from_a_secret_that_one_can_bring(name: str) -> None:
    """existingSecret is what pods mount; the chart's own Secret is then not made."""
    values = matrix.COMBINATIONS[name]
    found = objects(values)
    external = values.get("externalRedis", {})
    own = values.get("store", {}).get("auth", {}).get("existingSecret", "")
    own = external.get("auth", {}).get("existingSecret", "") if external else own
    full = values.get("fullnameOverride", "orion-inference")
    expected = own or ("" if external else f"{full}-store")
    mounted = {
        volume["secret"]["secretName"]
        for pod in pods(found)
        for volume in pod.spec["volumes"]
        if "secret" in volume and volume["name"] not in ("store-ca", "tls")
    }

    assert mounted == ({expected} if expected else set())
    assert bool(kind(found, "Secret")) == (not own and not external)


@every_combination
def test_17_each_pod_gets_its_own_password_as_a_file(name: str) -> None:
    """No variable, argument or ConfigMap refers to a Secret; of the Secret one key only."""
    values = matrix.COMBINATIONS[name]
    found = objects(values)
    single = not values.get("externalRedis", {}).get("auth", {}).get("perRole", True)
    none = values.get("externalRedis", {}).get("address") and not values["externalRedis"].get(
        "auth"
    )
    for pod in pods(found):
        expected = set[str]() if none else READS[pod.component]
        if single and expected:
            expected = {"password"}
        assert passwords_mounted(pod) == expected, str(pod)
        assert "secretKeyRef" not in json.dumps(pod.spec), str(pod)
        assert "envFrom" not in json.dumps(pod.spec), str(pod)
        for volume in pod.spec["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["items"], "all keys of a Secret are mounted"
                assert volume["secret"]["defaultMode"] in (0o440, 0o444)


def test_18_a_generated_password_is_in_its_secret_and_nowhere_else() -> None:
    """Four different ones of 40 characters; neither they nor their base64 occur anywhere else."""
    manifests = text(matrix.MINIMAL)
    found = objects(matrix.MINIMAL)
    (secret,) = kind(found, "Secret")
    encoded = list(secret["data"].values())
    plain = [base64.b64decode(each).decode() for each in encoded]

    assert set(secret["data"]) == {f"{role}-password" for role in ROLES}
    assert len(set(plain)) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9]{40}", each) for each in plain)
    for each in (*encoded, *plain):
        assert manifests.count(each) == (1 if each in encoded else 0)


def test_37_nothing_is_run_by_a_shell() -> None:
    """No container calls one, and no template puts a value into a script or a command line."""
    for each in pods(objects(matrix.EVERYTHING)):
        for container in each.containers:
            words = [*container["command"], *container.get("args", ())]
            assert not {"sh", "bash", "/bin/sh", "/bin/bash", "-c"} & set(words), str(each)
    for script in sorted((CHART / "files").iterdir()):
        assert "{{" not in script.read_text(), script.name


@every_combination
def test_38_images_are_pinned_and_users_are_numbers(name: str) -> None:
    """A digest, or a tag that is not `latest`; one numeric user for all of it."""
    for each in pods(objects(matrix.COMBINATIONS[name])):
        for container in each.containers:
            image = container["image"]
            pinned = re.fullmatch(r".+@sha256:[0-9a-f]{64}|.+:[^:/@]+", image)
            assert pinned, image
            assert not image.endswith(":latest"), image
            assert container["imagePullPolicy"] == "IfNotPresent"


def test_38_a_digest_wins_over_a_tag() -> None:
    """For each of the three images."""
    digest = matrix.DIGEST
    values = {key: {"image": {"digest": digest, "tag": "1"}} for key in ("ollama", "store")}
    found = objects({**values, "image": {"digest": digest, "tag": "1"}})

    images = {c["image"] for p in pods(found) for c in p.containers}
    assert images == {
        f"docker.io/ollama/ollama@{digest}",
        f"docker.io/valkey/valkey@{digest}",
        f"ghcr.io/orion-inference/orion-inference@{digest}",
    }
