"""Which board belongs to which class and to whom, and the labels that say so (pure).

The owner's label is respected: a board that names another namespace belongs to that one, also when
a person wrote it. The class is ours to say: one written by hand on a board of ours is corrected
(`spec.nodes[].class` is the way to change it).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orion_contracts import kubernetes as names
from orion_operator.nodes import NodeFacts
from orion_operator.spec import ClusterSpec


@dataclass(frozen=True, slots=True)
class Belonging:
    """`classes`: our boards; `foreign`: boards of others by owner; `changes`: labels to write."""

    classes: Mapping[str, str]
    foreign: Mapping[str, str]
    changes: Mapping[str, Mapping[str, str]]


def class_of(node: NodeFacts, spec: ClusterSpec) -> str:
    """The board's class by name or by memory; empty while its memory is not known."""
    if (said := spec.node(node.name).node_class) is not None:
        return said if spec.node_class(said) else names.EXCLUDED
    if not node.memory_bytes:
        return ""
    reached = [c for c in spec.node_classes if node.memory_bytes >= c.min_memory_bytes]
    if not reached:
        return names.EXCLUDED
    return max(reached, key=lambda c: c.min_memory_bytes).name


def belonging(nodes: Iterable[NodeFacts], spec: ClusterSpec, namespace: str) -> Belonging:
    """Class and owner of every board, and what has to be written for it."""
    classes: dict[str, str] = {}
    foreign: dict[str, str] = {}
    changes: dict[str, Mapping[str, str]] = {}
    for node in nodes:
        if node.owner not in ("", namespace):
            foreign[node.name] = node.owner
            continue
        found = class_of(node, spec)
        if not found:
            continue
        classes[node.name] = found
        wanted = {names.CLASS_LABEL: found, names.OWNER_LABEL: namespace}
        present = {names.CLASS_LABEL: node.node_class, names.OWNER_LABEL: node.owner}
        if wanted != present:
            changes[node.name] = wanted
    return Belonging(classes, foreign, changes)


def refuge(here: str, classes: Mapping[str, str], nodes: Mapping[str, NodeFacts]) -> str:
    """Where an operator on the excluded board `here` could run instead; empty: nowhere, or it is
    not on one."""
    if classes.get(here) != names.EXCLUDED:
        return ""
    usable = (
        name for name, node_class in sorted(classes.items())
        if node_class != names.EXCLUDED and nodes[name].ready and not nodes[name].unschedulable
    )  # fmt: skip
    return next(usable, "")
