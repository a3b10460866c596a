"""Two operators in a namespace, or two installations: one acts, the other says why it does not."""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from e2e.conftest import RELEASE, install_arguments, wait_ready
from e2e.doctor import doctor
from e2e.kube import Kube, Refused, condition, is_ready, run, until
from e2e.resources import apply
from e2e.world import World

LEASE = "lease/orion-inference-operator"
DEPLOYMENT = "deployment/orion-inference-operator"
SECOND = "orion-e2e-second"
COLUMNS = (
    "NAME:.metadata.name,CLASS:.metadata.labels.inference\\.orion\\.dev/class,"
    "OWNER:.metadata.labels.inference\\.orion\\.dev/owner"
)


@contextmanager
def labels_stay(kube: Kube, folder: Path) -> Generator[None]:
    """Whatever happens inside, no Node's class or owner changes, not even for a moment."""
    seen = folder / "nodes"
    nodes = {n["metadata"]["name"] for n in kube.items("nodes")}
    watch = ["kubectl", "get", "nodes", "--watch", "--no-headers",
             "-o", f"custom-columns={COLUMNS}"]  # fmt: skip
    with seen.open("w") as out, subprocess.Popen(watch, stdout=out) as process:
        try:
            until(lambda: nodes <= {line.split()[0] for line in _lines(seen)}, 10, "the watch")
            yield
        finally:
            process.terminate()
    rows = {tuple(line.split()) for line in _lines(seen)}
    assert len(rows) == len(nodes), sorted(rows)
    assert not [row for row in rows if "<none>" in row], sorted(rows)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def holder(kube: Kube) -> str:
    """Who has the lease."""
    return str(kube.get(LEASE)["spec"].get("holderIdentity", ""))


def wrote(kube: Kube, pod: str) -> int:
    """How many configurations an operator has written, by its log."""
    return kube.logs(pod).count("configuration of generation")


def reason_and_message(kube: Kube, kind: str) -> tuple[str, str]:
    """Of the operator's own resource."""
    found = condition(kube.get("icl/default"), kind)
    return str(found["reason"]), str(found["message"])


@pytest.fixture
def pair(kube: Kube) -> Iterator[tuple[str, str]]:
    """Names of two operators of one Deployment: the one in charge, and one that came later."""
    wait_ready(kube)
    first = until(lambda: holder(kube), 30, "an operator has the lease")
    kube.kubectl("scale", DEPLOYMENT, "--replicas=2")
    try:

        def both() -> list[str]:
            pods = kube.pods("operator")
            names = [str(p["metadata"]["name"]) for p in pods if is_ready(p)]
            return names if len(names) == 2 else []

        (second,) = set(until(both, 90, "two operators are ready")) - {first}
        yield first, second
    finally:
        kube.kubectl("scale", DEPLOYMENT, "--replicas=1")
    wait_ready(kube)


def test_one_acts_and_the_other_waits_and_takes_over(
    kube: Kube, pair: tuple[str, str], tmp_path: Path
) -> None:
    """The second says for whom it waits and writes nothing, and doctor names both; when the first
    is deleted the second has the lease and does the work. No Node's label moves."""
    first, second = pair
    with labels_stay(kube, tmp_path):
        until(lambda: f"waits for {first}" in kube.logs(second), 30, "the second waits")
        told = doctor(kube)
        remedy = told.finding("warn", "operator", f"2 run: {first} acts, {second} only waits")
        assert "keep one" in remedy
        before = wrote(kube, first)
        apply(kube, thresholds={"temperatureExcludeC": 71})
        until(lambda: wrote(kube, first) > before, 20, "the first writes the configuration")
        assert (holder(kube), wrote(kube, second)) == (first, 0)

        mark = "controller.kubernetes.io/pod-deletion-cost"  # who goes when one has to
        kube.kubectl("annotate", "pod", first, f"{mark}=-1")
        kube.kubectl("scale", DEPLOYMENT, "--replicas=1")
        until(lambda: holder(kube) == second, 45, "the second has the lease")
        apply(kube, thresholds={"temperatureExcludeC": 72})
        until(lambda: wrote(kube, second) > 0, 20, "the second writes the configuration")
        (left,) = kube.pods("operator")
        assert left["metadata"]["name"] == second
        assert f"{second} acts" in doctor(kube).text


@pytest.fixture
def neighbour(kube: Kube, world: World) -> Iterator[Kube]:
    """Another installation, in a namespace of its own."""
    found = Kube(SECOND)
    run(["kubectl", "create", "namespace", SECOND])
    run(["kubectl", "label", "namespace", SECOND,
         "pod-security.kubernetes.io/enforce=privileged"])  # fmt: skip
    try:
        run(["helm", "-n", SECOND, "install", *install_arguments(world)])
        until(lambda: any(map(is_ready, found.pods("operator"))), 90, "its operator is ready")
        yield found
    finally:
        with suppress(Refused):
            run(["helm", "-n", SECOND, "uninstall", RELEASE, "--wait"], timeout_s=200)
        run(["kubectl", "delete", "namespace", SECOND, "--timeout=90s"])
    wait_ready(kube)


def test_a_second_installation_leaves_the_boards_to_the_first(
    kube: Kube, world: World, neighbour: Kube, tmp_path: Path
) -> None:
    """It says Conflict with the first one's namespace and what to do, in conditions and by doctor;
    it gets no pod on any board, and no label moves, also when it goes."""
    with labels_stay(kube, tmp_path):
        until(lambda: reason_and_message(neighbour, "Ready")[0] == "Conflict", 60, "Conflict")
        reason, message = reason_and_message(neighbour, "Ready")
        assert reason_and_message(neighbour, "Conflict") == ("OwnedElsewhere", message)
        assert world.node in message
        assert f"belong to namespace {kube.namespace}" in message
        assert "kubectl label node NAME inference.orion.dev/owner-" in message
        doctor(neighbour).finding("FAIL", "icl", f"Ready is False, {reason}: {message}")
        doctor(neighbour).finding("warn", "icl", f"Conflict is True, OwnedElsewhere: {message}")
        placed = {p["metadata"]["labels"]["app.kubernetes.io/component"]
                  for p in neighbour.items("pods") if p["spec"].get("nodeName")}  # fmt: skip
        assert placed == {"operator"}
        run(["helm", "-n", SECOND, "uninstall", RELEASE, "--wait"], timeout_s=200)
        until(lambda: not neighbour.pods("operator"), 60, "it is gone")
