"""An InferenceCluster's spec, typed: the one place its fields, defaults, bounds and rules are said.

The CRD is generated from these classes (`orion-inference-operator crd`). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from orion_contracts import kubernetes
from orion_contracts.aliases import problems
from orion_operator.fields import Cel, InvalidResource, declare, read
from orion_operator.names import KEYED
from orion_operator.spec_fleet import NodeClassSpec, NodeSpec, ThresholdSpec
from orion_operator.spec_models import FeedbackSpec, ModelSpec, RoutingSpec

DEFAULT_CLASSES = (
    {"name": "16gb", "minMemory": "12Gi", "roles": ["router", "worker"], "slots": 1},
    {"name": "8gb", "minMemory": "6Gi", "roles": ["worker"], "slots": 1},
)
_TAG = "({0}.contains(':') ? {0} : {0} + ':latest')"
_KNOWN_CLASS = "self.nodeClasses.exists(k, k.name == {0})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """Everything that a person says about a cluster."""

    RULES: ClassVar[tuple[Cel, ...]] = (
        Cel(
            rule="self.nodes.all(n, !has(n.class) || n.class == 'excluded' || "
            + _KNOWN_CLASS.format("n.class") + ")",
            message="nodes[].class must be the name of one of nodeClasses, or excluded",
            field=".nodes",
        ),
        Cel(
            rule="self.models.all(m, !has(m.placement.classes) || "
            "m.placement.classes.all(c, " + _KNOWN_CLASS.format("c") + "))",
            message="models[].placement.classes must be names of nodeClasses",
            field=".models",
        ),
    )  # fmt: skip

    thresholds: ThresholdSpec = declare(
        ThresholdSpec(), kind="object", item=ThresholdSpec, shown={},
        text="Health gates: a board beyond them gets no new work.",
    )  # fmt: skip
    node_classes: tuple[NodeClassSpec, ...] = declare(
        tuple(read(NodeClassSpec, each) for each in DEFAULT_CLASSES),
        **KEYED, item=NodeClassSpec, minItems=1, maxItems=16, shown=DEFAULT_CLASSES,
        text="Classes of boards by memory; below the least one a board is excluded.",
        cel=(
            Cel(
                rule="self.all(c, c.name != 'excluded')",
                message="nodeClasses[].name: excluded is the class below all others; choose "
                "another name",
            ),
            Cel(
                rule="self.exists(c, 'worker' in c.roles)",
                message="nodeClasses[].roles: at least one class needs the role worker",
            ),
            Cel(
                rule="self.all(a, self.exists_one(b, quantity(string(a.minMemory))"
                ".compareTo(quantity(string(b.minMemory))) == 0))",
                message="nodeClasses[].minMemory: two classes with the same memory cannot be "
                "told apart",
            ),
        ),
    )  # fmt: skip
    nodes: tuple[NodeSpec, ...] = declare(
        (), **KEYED, item=NodeSpec, maxItems=64,
        text="Single boards: what differs from their class, and what to drain.",
    )  # fmt: skip
    models: tuple[ModelSpec, ...] = declare(
        (), **KEYED, item=ModelSpec, maxItems=64,
        text="Models that the cluster keeps, and where.",
        cel=(
            Cel(
                rule="self.all(m, !has(m.fallback) || self.exists(n, n.name == m.fallback))",
                message="models[].fallback must be the name of another model of this resource",
            ),
            Cel(
                rule="self.all(m, self.exists_one(n, "
                f"{_TAG.format('n.name')} == {_TAG.format('m.name')}))",
                message="models[].name: the same model is listed twice (no tag means :latest)",
            ),
            Cel(
                rule="self.all(m, m.aliases.all(a, self.exists_one(n, a in n.aliases) && "
                "!self.exists(n, n.name == a)))",
                message="models[].aliases: an alias must be no other model's name or alias",
            ),
        ),
    )  # fmt: skip
    routing: RoutingSpec = declare(
        RoutingSpec(), kind="object", item=RoutingSpec, shown={}, text="Queueing rules."
    )
    feedback: FeedbackSpec = declare(
        FeedbackSpec(), kind="object", item=FeedbackSpec, shown={},
        text="What Kubernetes itself is told of our boards.",
    )  # fmt: skip

    def node(self, name: str) -> NodeSpec:
        """What is said of the board by name; defaults where nothing is."""
        return next((n for n in self.nodes if n.name == name), NodeSpec(name=name))

    def node_class(self, name: str) -> NodeClassSpec | None:
        """The class of that name; None for `excluded` and unknown ones."""
        return next((c for c in self.node_classes if c.name == name), None)


EXCLUDED_CLASS = NodeClassSpec(name=kubernetes.EXCLUDED, min_memory_bytes=0, roles=())


def read_spec(spec: Mapping[str, Any] | None) -> ClusterSpec:
    """A resource's spec. Raises InvalidResource naming the field."""
    found = read(ClusterSpec, spec or {}, "spec")
    for problem in problems(found.models):  # a circle is nothing that CEL could see
        where = f"spec.models[{problem.at}].{problem.field}"
        raise InvalidResource(f"{where}: {problem.text}")
    return found
