"""The operator at 3 and at 500 boards: memory, processor time of one change, no list per event."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders.clusters import report
from orion_contracts import keys
from orion_lab.stores import StoreProcess
from orion_operator.api import Api
from servers.operators import Rig, rig

pytestmark = pytest.mark.cluster

BOARDS = 500
SMALL_MIB, LARGE_MIB = 120, 180
CHANGE_CPU_S = 1.0
MARK = "orion-test-crowd"


def told(line: str) -> None:
    """A figure, shown by `pytest -rP`."""
    sys.stdout.write(line + "\n")


def resident_mib(rig_: Rig) -> float:
    """Of the operator's process."""
    status = Path(f"/proc/{rig_.operator.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def cpu_s(rig_: Rig) -> float:
    """Processor time of the operator so far."""
    fields = Path(f"/proc/{rig_.operator.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def lists_of_nodes(rig_: Rig) -> int:
    """How often the API server has listed Nodes for anybody."""
    metrics = rig_.kube.kubectl("get", "--raw", "/metrics")
    lines = [
        line for line in metrics.splitlines()
        if line.startswith("apiserver_request_total{") and 'resource="nodes"' in line
        and 'verb="LIST"' in line
    ]  # fmt: skip
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)


@pytest.fixture
def crowd(
    definition: None, valkey: StoreProcess, tmp_path: Path
) -> Iterator[tuple[Rig, list[str]]]:
    """Five hundred boards as large as a kubelet's Node objects, all reporting."""
    with rig(tmp_path, valkey) as made:
        names = [f"{made.namespace}-n{i:03}" for i in range(BOARDS)]
        selector = f"labelSelector={MARK}%3D{made.namespace}"
        try:
            asyncio.run(_create(names, made.namespace))
            yield made, names
        finally:
            made.operator.stop()
            made.kube.kubectl("delete", "--raw", f"/api/v1/nodes?{selector}")


async def _create(names: list[str], mark: str) -> None:
    api = await Api.connect()
    images = [{"names": [f"docker.io/some/image-{i}@sha256:{'a' * 64}"], "sizeBytes": 10**8}
              for i in range(30)]  # fmt: skip
    status = {"capacity": {"memory": "7900Mi", "cpu": "4"}, "images": images,
              "conditions": [{"type": "Ready", "status": "True"}]}  # fmt: skip

    async def one(name: str) -> None:
        metadata = {"name": name, "labels": {MARK: mark}}
        await api.call("POST", "/api/v1/nodes", {"metadata": metadata, "status": status})

    for i in range(0, len(names), 20):
        await asyncio.gather(*map(one, names[i : i + 20]))
    await api.close()


def all_report(world: Rig, names: list[str]) -> None:
    """As their workers do every five seconds."""
    with world.client as client:
        pipe = client.pipeline()
        for name in names:
            made = report(name, {"a:1b": 1.0}, {"b:1b": 1.0, "c:3b": 2.0}, seq=time.monotonic_ns())
            fields: Any = made.to_hash()
            pipe.hset(keys.node_health(name), mapping=fields)
            pipe.expire(keys.node_health(name), 600)
            pipe.set(keys.alive(name), "i1", ex=600)
        pipe.execute()


def test_three_boards(world: Rig) -> None:
    """The resident memory of the customer's cluster, after a minute."""
    world.apply("mine", {"models": [{"name": "a:1b"}]})
    world.start("--status-interval-s=30")
    began_s = time.monotonic()
    for name in ("16", "8"):
        world.reports(f"{world.namespace}-{name}", resident={"a:1b": 1.0})
    world.until(lambda: time.monotonic() - began_s > 60, "a minute", 70)
    used = resident_mib(world)
    told(f"operator at 3 boards: {used:.0f} MiB resident, {cpu_s(world):.1f} s of CPU in a minute")

    assert used <= SMALL_MIB


def test_five_hundred_boards(crowd: tuple[Rig, list[str]]) -> None:
    """One change costs less than a second of processor time; events cost no listing."""
    world, names = crowd
    all_report(world, names)
    models = [{"name": "a:1b", "placement": {"classes": ["8gb"]}},
              {"name": "b:1b", "placement": {"replicas": 64}}]  # fmt: skip
    world.apply("mine", {"models": models})
    began_s = time.monotonic()
    world.start("--status-interval-s=30")
    world.until(lambda: len(world.config().get("nodes", ())) == BOARDS, "all boards", 120)
    told(f"operator at {BOARDS} boards: labelled, planned and configured after "
         f"{time.monotonic() - began_s:.1f} s, {cpu_s(world):.1f} s of CPU")  # fmt: skip
    world.until(lambda: world.icl("mine").get("status"), "a status", 60)
    rows = world.icl("mine")["status"]
    assert len(rows["nodes"]) == 64
    assert rows["summary"]["moreNodes"] == BOARDS - 64

    before_s, listed = cpu_s(world), lists_of_nodes(world)
    world.apply("mine", {"models": models, "thresholds": {"temperatureExcludeC": 71}})
    world.until(lambda: world.config()["thresholds"]["temperature_exclude_c"] == 71, "the change")
    change_s = cpu_s(world) - before_s
    for name in names[:20]:
        world.kube.kubectl("cordon", name)
    drains = set(names[:20])
    world.until(lambda: drains == {n for n, said in world.config()["nodes"].items()
                                   if said.get("drain")}, "the drains")  # fmt: skip
    cordons_s, lists = cpu_s(world) - before_s - change_s, lists_of_nodes(world) - listed
    used = resident_mib(world)
    told(f"one change of the spec: {change_s:.2f} s of CPU; twenty cordons: {cordons_s:.2f} s; "
         f"lists of Nodes meanwhile: {lists}; resident: {used:.0f} MiB")  # fmt: skip

    assert change_s <= CHANGE_CPU_S
    assert lists <= 2  # the operator's own is none; somebody else's may fall into these seconds
    assert used <= LARGE_MIB
