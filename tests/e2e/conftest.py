"""The system under test: built, loaded into the cluster and installed once, by helm.

Environment (all optional where ORION_CLUSTER names a folder with `cluster` and `ollama`):

- ORION_E2E_IMAGE: an image that the cluster can already use; none is built then
- ORION_E2E_LOAD: a command that takes an image's name and brings it to the nodes
  (`kind load docker-image`, `k3d image import`, `scripts/k3s-import`)
- ORION_E2E_VALUES: one more values file
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from e2e.boards import SecondBoard
from e2e.kube import CHART, ROOT, Kube, Object, Refused, is_fake, is_ready, run, until
from e2e.world import World

HERE = Path(__file__).parent
NAMESPACE = "orion-e2e"
RELEASE = "orion-inference"
SERVICE = "svc/orion-inference-router"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a failure at once: the run is long, and the cluster is still there to be looked at."""
    report = yield
    if report.failed:
        print(f"\n--- {item.name} failed:\n{report.longreprtext[-3000:]}", flush=True)
    return report


def stage(what: str) -> None:
    """A line with the time, so that a long run shows how far it is."""
    print(f"\n[{time.strftime('%H:%M:%S')}] {what}", flush=True)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Images built and brought to the nodes."""
    began = time.monotonic()
    cluster = os.environ.get("ORION_CLUSTER", "")
    image = os.environ.get("ORION_E2E_IMAGE", "")
    load = shlex.split(os.environ.get("ORION_E2E_LOAD", ""))
    values = [Path(os.environ["ORION_E2E_VALUES"])] if "ORION_E2E_VALUES" in os.environ else []
    real = [n for n in Kube("default").items("nodes") if not is_fake(n)]
    if cluster:
        image, load = (
            image or "localhost/orion-inference:e2e",
            load or [f"{cluster}/cluster", "image"],
        )
        values += [HERE / "stand-ins.yaml", _seeded(tmp_path_factory.mktemp("models"))]
        build = {
            "STORAGE_DRIVER": "overlay",
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINER_TOOL": "buildah",
        }
        _recycled()
        stage("images: ours, and stand-ins for Ollama and the store")
        run([f"{cluster}/cluster", "base"], timeout_s=600)
        run([f"{cluster}/ollama", "image"], timeout_s=900)
        run([str(ROOT / "scripts/build-image"), image, "--build-arg",
             "BASE=localhost/python:3.11-slim"], env=build, timeout_s=600)  # fmt: skip
        for each in (image, "localhost/redis:7.0", "localhost/ollama:0.24.0"):
            run([*load, each], timeout_s=300)
    elif not image:
        image = "localhost/orion-inference:e2e"
        run([str(ROOT / "scripts/build-image"), image], timeout_s=900)
        if load:
            run([*load, image], timeout_s=300)
    print(f"images ready after {time.monotonic() - began:.0f} s")
    return World(image, tuple(values), str(real[0]["metadata"]["name"]))


def _recycled() -> None:
    """The cluster has a few volumes and no provisioner: those of earlier runs are emptied."""
    for each in Kube("default").items("persistentvolumes"):
        if each["status"]["phase"] in ("Failed", "Released"):
            shutil.rmtree(each["spec"]["local"]["path"], ignore_errors=True)
            Path(each["spec"]["local"]["path"]).mkdir(mode=0o777)
            Path(each["spec"]["local"]["path"]).chmod(0o777)
            run(["kubectl", "patch", "pv", each["metadata"]["name"], "--type=json", "-p",
                 '[{"op": "remove", "path": "/spec/claimRef"}]'])  # fmt: skip


def _seeded(folder: Path) -> Path:
    """Values with a folder of the node that already holds the model: no registry is reached."""
    cache = Path(os.environ.get("ORION_CLUSTER_CACHE", Path.home() / ".cache/orion-cluster"))
    shutil.copytree(cache / "ollama-models", folder / "models")
    subprocess.run(["chmod", "-R", "a+rwX", str(folder.parent)], check=True)
    values = folder / "values.yaml"
    values.write_text(f"ollama: {{storage: {{mode: hostPath, path: {folder / 'models'}}}}}\n")
    return values


def helm(*arguments: str, timeout_s: float = 400.0) -> str:
    """helm, in the tests' namespace."""
    return run(["helm", "-n", NAMESPACE, *arguments], timeout_s=timeout_s)


def install_arguments(world: World, *more: str) -> list[str]:
    """What follows `helm install` or `helm upgrade`."""
    repository, _, tag = world.image.rpartition(":")
    files = [part for path in world.values for part in ("-f", str(path))]
    return [RELEASE, str(CHART), *files, "--set", f"image.repository={repository}",
            "--set", f"image.tag={tag}", *more]  # fmt: skip


@pytest.fixture(scope="session")
def kube(world: World) -> Iterator[Kube]:
    """The chart installed and ready; everything is removed at the end."""
    found = Kube(NAMESPACE)
    began = time.monotonic()
    stage("helm install orion-inference")
    run(["kubectl", "create", "namespace", NAMESPACE])
    run(["kubectl", "label", "namespace", NAMESPACE,
         "pod-security.kubernetes.io/enforce=privileged",
         "pod-security.kubernetes.io/warn=restricted"])  # fmt: skip
    try:
        print(helm("install", *install_arguments(world)))
        wait_ready(found)
        print(f"installed and ready after {time.monotonic() - began:.0f} s")
        yield found
    except BaseException:
        tell(found)
        raise
    finally:
        try:
            helm("uninstall", RELEASE, "--wait")
        except Refused as error:
            print(error)
        run(["kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s"])


@pytest.fixture(scope="session")
def second(kube: Kube) -> Iterator[SecondBoard]:
    """A second live board: a Node of 8 GiB that only pretends, served from the real one."""

    def eight(node: Object) -> bool:
        return bool(node["metadata"]["labels"].get("inference.orion.dev/class") == "8gb")

    boards = [n["metadata"]["name"] for n in kube.items("nodes") if is_fake(n) and eight(n)]
    if not boards:
        pytest.skip("needs kwok: a Node of 8 GiB on which nothing runs")
    board = SecondBoard(kube, boards[0])
    board.start()
    yield board
    board.stop()


def wait_ready(kube: Kube, within_s: float = 180.0) -> None:
    """The InferenceCluster says Ready, and so does every part of ours."""

    def ready() -> bool:
        columns = kube.kubectl("get", "icl", "-o", "jsonpath={.items[*].status.conditions}")
        return '"type":"Ready"' in columns.replace(" ", "") and all(
            any(is_ready(pod) for pod in kube.pods(part))
            for part in ("operator", "router", "store", "worker")
        )

    until(ready, within_s, "everything is Ready", 1.0)
    until(lambda: _says_ready(kube), within_s, "the InferenceCluster is Ready", 1.0)


def _says_ready(kube: Kube) -> bool:
    found = kube.items("icl")
    return any(
        c["type"] == "Ready" and c["status"] == "True"
        for each in found
        for c in each.get("status", {}).get("conditions", [])
    )


def tell(kube: Kube) -> None:
    """What a person would look at: pods, events, logs of what is not ready."""
    for look in (["get", "pods,icl", "-o", "wide"], ["describe", "icl"],
                 ["get", "events", "--sort-by=.lastTimestamp"]):  # fmt: skip
        with_error = subprocess.run(["kubectl", "-n", kube.namespace, *look], check=False,
                                    capture_output=True, text=True, timeout=60)  # fmt: skip
        print(with_error.stdout[-6000:], with_error.stderr)
    for part in ("operator", "router", "store", "worker"):
        for pod in kube.pods(part):
            if not is_fake_pod(pod):
                name = pod["metadata"]["name"]
                said = subprocess.run(
                    ["kubectl", "-n", kube.namespace, "logs", name, "--all-containers",
                     "--tail=40"], check=False, capture_output=True, text=True, timeout=60,
                )  # fmt: skip
                print(f"--- {name}\n{said.stdout}{said.stderr}")


def heal_pretenders(kube: Kube) -> None:
    """Every pod on a node that only pretends is ready: where such a node was late once, Kubernetes
    calls its pods not ready for ever, and an update waits for them."""
    for pod in kube.pods("worker"):
        if is_fake_pod(pod) and not is_ready(pod):
            kube.kubectl("delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0")

    def healthy() -> bool:
        fakes = [pod for pod in kube.pods("worker") if is_fake_pod(pod)]
        return all(is_ready(pod) for pod in fakes)

    until(healthy, 60, "what pretends to run is ready", 1.0)


def is_fake_pod(pod: Object) -> bool:
    """Whether the pod is on a node that only pretends: it has no log."""
    return pod["spec"].get("nodeName", "") in pretending()


@functools.cache
def pretending() -> frozenset[str]:
    """Names of the nodes that only pretend."""
    nodes = Kube("default").items("nodes")
    return frozenset(str(n["metadata"]["name"]) for n in nodes if is_fake(n))
