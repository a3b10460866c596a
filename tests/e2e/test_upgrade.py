"""helm upgrade and rollback, with helm 4 and helm 3."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
import yaml

from e2e.conftest import NAMESPACE, RELEASE, install_arguments, stage, wait_ready
from e2e.kube import CHART, ROOT, Kube, Object, is_ready, run, until
from e2e.leftovers import in_namespace
from e2e.load import asking
from e2e.world import World

CRD = "crd/inferenceclusters.inference.orion.dev"
STAYS = {"Lease", "PersistentVolumeClaim", "InferenceCluster"}
"""As docs/kubernetes/operations.md tells; test_uninstall looks at each of them."""


def helm_of(major: int) -> str:
    """The binary of that version."""
    if major == 4:
        return "helm"
    found = os.environ.get("ORION_HELM3", "")
    if not shutil.which(found):
        pytest.skip("needs helm3: set ORION_HELM3 to a helm 3 binary")
    return found


def helm(major: int, *arguments: str) -> str:
    """helm 3 or 4, in the tests' namespace."""
    return run([helm_of(major), "-n", NAMESPACE, *arguments], timeout_s=400)


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart as an earlier version had it: another number, and a CRD that lacks a field."""
    folder = tmp_path_factory.mktemp("previous") / "orion-inference"
    shutil.copytree(CHART, folder)
    chart = folder / "Chart.yaml"
    described = yaml.safe_load(chart.read_text())
    described["version"] = "0.0.9"
    chart.write_text(yaml.safe_dump(described))
    place = folder / "crds" / "inferenceclusters.yaml"
    crd = yaml.safe_load(place.read_text())
    crd["metadata"]["annotations"]["inference.orion.dev/crd-revision"] = "0"
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["feedback"], spec["default"]["feedback"]
    place.write_text(yaml.safe_dump(crd))
    return folder


def has_feedback() -> bool:
    """Whether the CRD in the cluster knows the field that the earlier one lacks."""
    crd = json.loads(run(["kubectl", "get", CRD, "-o", "json"]))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return "feedback" in schema["properties"]["spec"]["properties"]


def updated(kube: Kube) -> None:
    """What the page says to wait with, in the words of the page."""
    page = (ROOT / "docs/kubernetes/operations.md").read_text()
    for command in ("rollout status deploy/orion-inference-operator --timeout=5m",
                    "wait icl/home --for=condition=BoardsUpdated --timeout=30m"):  # fmt: skip
        assert f"kubectl -n orion {command}\n" in page
        kube.kubectl(*command.replace("icl/home", "icl/default").split(), timeout_s=300)


def gone(kube: Kube) -> bool:
    """Everything but what stays; raises LookupError with what is still there."""
    left = {kind: names for kind, names in in_namespace(kube).items() if kind not in STAYS}
    if left:
        raise LookupError(left)
    return True


class Boards:
    """The boards of a fleet while their workers are replaced."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        until(self._all_serve, 120, "every board has a worker that serves")
        self._boards = {pod["spec"]["nodeName"] for pod in self._workers()}
        self.all, self.most_away = len(self._boards), 0
        assert self.all >= 2, "one board alone cannot show that classes take turns"

    def _all_serve(self) -> bool:
        sets = self._kube.items("daemonsets")
        wanted: list[int] = [each["status"].get("desiredNumberScheduled", 0) for each in sets]
        return min(wanted) > 0 and len(self.serving()) == sum(wanted)

    def _workers(self) -> list[Object]:
        """Those of DaemonSets: a test's own board has none."""
        return [
            pod for pod in self._kube.pods("worker")
            if pod["metadata"]["ownerReferences"][0]["kind"] == "DaemonSet"
        ]  # fmt: skip

    def serving(self) -> list[Object]:
        """Workers that are ready."""
        return [pod for pod in self._workers() if is_ready(pod)]

    def run_with(self, word: str) -> bool:
        """Whether all of them serve with this in their arguments; looks how many living boards do
        not serve (what pretends to be a node may be late, and is away then)."""
        serving = self.serving()
        living = {n["metadata"]["name"] for n in self._kube.items("nodes") if is_ready(n)}
        lacking = (self._boards & living) - {pod["spec"]["nodeName"] for pod in serving}
        self.most_away = max(self.most_away, len(lacking))
        updated = [pod for pod in serving if word in pod["spec"]["containers"][0]["args"]]
        return len(updated) == self.all


@pytest.mark.parametrize("major", [4, 3])
def test_upgrade_under_load_and_rollback(
    kube: Kube, world: World, previous: Path, major: int
) -> None:
    """From the earlier chart and its CRD to this one while a producer asks: 0 lost, and never two
    boards away at once though each has a class of its own; and back."""
    helm_of(major)
    helm(4, "uninstall", RELEASE, "--ignore-not-found", "--wait")
    stage(f"helm {major}: install the earlier chart, upgrade under load, roll back")
    run(["kubectl", "delete", CRD, "--ignore-not-found", "--timeout=60s"])
    # The last clean-up holds it for a minute, against an operator that still ran.
    left = ("lease/orion-inference-operator", "pod/orion-inference-test")
    kube.kubectl("delete", *left, "--ignore-not-found")
    arguments = install_arguments(world)
    helm(major, "install", RELEASE, str(previous), *arguments[2:])
    wait_ready(kube)
    boards = Boards(kube)
    load = asking(kube, world, f"load-upgrade-{major}", 60)
    began = time.monotonic()
    helm(major, "upgrade", *arguments, "--set", "logLevel=debug")
    until(lambda: boards.run_with("--log-level=debug"), 240, "every board runs the new worker")
    print(f"helm {major}: {boards.all} boards updated after {time.monotonic() - began:.0f} s")
    assert boards.most_away == 1
    until(has_feedback, 60, "the operator has upgraded the CRD")
    wait_ready(kube)
    verdict = load.finish()
    print(f"helm {major}: {verdict.acknowledged} acknowledged, {verdict.completed} completed")
    assert verdict.acknowledged > 15
    assert not verdict.reasons, verdict.reasons
    updated(kube)
    boards.most_away = 0
    helm(major, "rollback", RELEASE, "1")
    until(lambda: boards.run_with("--log-level=info"), 240, "every board runs the old worker")
    assert boards.most_away == 1
    wait_ready(kube)
    assert has_feedback(), "the definition only goes forward"
    helm(major, "uninstall", RELEASE, "--wait")
    until(lambda: gone(kube), 60, "everything else is gone")
