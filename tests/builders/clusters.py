"""Builders for operator tests: nodes, boards, reports, specs, facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders.fleets import GIB, health
from orion_contracts.health import DiskModel, NodeHealth, ResidentModel
from orion_operator.board import Board, Sighting, make_boards, place_of
from orion_operator.facts import Facts, StoreFacts
from orion_operator.footprint import footprint, survey
from orion_operator.labels import belonging
from orion_operator.nodes import NodeFacts, read_node
from orion_operator.placement import Place, Plan, place_models
from orion_operator.spec import ClusterSpec, read_spec

NAMESPACE = "robot"
SIZES = {"16gb": 15.6, "8gb": 7.6, "4gb": 3.7}


def node_body(name: str, memory: str = "7900Mi", **facts: Any) -> dict[str, Any]:
    """A Node as the API server sends it."""
    labels = facts.pop("labels", {})
    conditions = [{"type": "Ready", "status": facts.pop("ready", "True")}]
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": facts,
        "status": {"capacity": {"memory": memory}, "conditions": conditions},
    }


def node(name: str, gib: float = 7.6, **facts: Any) -> NodeFacts:
    """A Node as the operator keeps it."""
    return NodeFacts(name=name, memory_bytes=int(gib * GIB), **facts)


def three_nodes() -> list[NodeFacts]:
    """The customer's boards."""
    return [node(f"pi-{name}", gib) for name, gib in SIZES.items()]


def report(
    name: str,
    resident: dict[str, float] | None = None,
    on_disk: dict[str, float] | None = None,
    **facts: Any,
) -> NodeHealth:
    """A board's report; sizes of models in GiB."""
    made = health(name, **facts)
    loaded = tuple(
        ResidentModel(name=m, size_bytes=int(g * GIB)) for m, g in (resident or {}).items()
    )
    there = {**(resident or {}), **(on_disk or {})}
    files = tuple(DiskModel(name=m, size_bytes=int(g * GIB)) for m, g in there.items())
    return replace(made, resident=loaded, models=files)


def seen(name: str, **facts: Any) -> Sighting:
    """A board that reports and lives."""
    return Sighting(report=report(name, **facts), alive=True, heard=True)


def memory_of(one: NodeFacts) -> dict[str, int]:
    """What a worker on it reports with a GiB in use."""
    total = one.memory_bytes
    return {"memory_total_bytes": total, "memory_available_bytes": max(0, total - GIB)}


def boards(
    spec: ClusterSpec,
    nodes: list[NodeFacts] | None = None,
    sightings: dict[str, Sighting] | None = None,
) -> tuple[Board, ...]:
    """Boards of these nodes; without sightings, all workers report and are well."""
    nodes = three_nodes() if nodes is None else nodes
    classes = belonging(nodes, spec, NAMESPACE).classes
    if sightings is None:
        sightings = {n.name: seen(n.name, **memory_of(n)) for n in nodes}
    return make_boards(nodes, classes, spec, sightings)


def plan_of(
    spec: ClusterSpec, made: tuple[Board, ...], before: dict[str, tuple[str, ...]] | None = None
) -> Plan:
    """The placement over these boards."""
    known = survey(b.report for b in made if b.report)
    places = [place_of(b) for b in made if b.works]
    return place_models(spec.models, places, before or {}, lambda m, s: footprint(m, s, known))


def facts(spec: dict[str, Any] | None = None, **given: Any) -> Facts:
    """A cluster that serves, unless told otherwise."""
    read = read_spec(spec)
    made: tuple[Board, ...] = given.pop("boards", None) or boards(
        read, given.pop("nodes", None), given.pop("sightings", None)
    )
    given.setdefault("store", StoreFacts(queue=0, routers={"router-1": 5}))
    given.setdefault("config_generation", 5)
    given.setdefault("generation", 1)
    return Facts(spec=read, boards=made, plan=plan_of(read, made), **given)


def place(name: str, gib: float = 7.6, **given: Any) -> Place:
    """A board as the placement sees it, with a GiB for the system."""
    given.setdefault("node_class", "8gb")
    given.setdefault("system_bytes", GIB)
    return Place(name=name, memory_bytes=int(gib * GIB), **given)


def nodes_of(*bodies: dict[str, Any]) -> list[NodeFacts]:
    """Nodes read from what the API server sends."""
    return [read_node(body) for body in bodies]


def worker_set(namespace: str, node_class: str, image: str) -> dict[str, Any]:
    """The DaemonSet of a class, as the chart's in what counts here."""
    labels = {"app.kubernetes.io/component": "worker", "inference.orion.dev/class": node_class}
    spec = {
        "nodeSelector": {"inference.orion.dev/class": node_class,
                         "inference.orion.dev/owner": namespace},
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "worker", "image": image}],
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": f"w-{node_class}", "namespace": namespace, "labels": labels},
        "spec": {
            "updateStrategy": {"type": "OnDelete"},
            "minReadySeconds": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
