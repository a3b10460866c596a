"""The models of an InferenceCluster's spec, and how requests for them are queued (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from orion_contracts.config import WhenNoNodeEligible
from orion_operator.fields import Cel, declare
from orion_operator.names import CLASS_NAME, MODEL_NAME, NODE_NAME, QUANTITY, SET
from orion_operator.quantity import to_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementSpec:
    """Where a model is to be resident: one of three ways to say it."""

    RULES: ClassVar[tuple[Cel, ...]] = (
        Cel(
            rule="[has(self.replicas), has(self.nodes), has(self.classes)]"
            ".filter(given, given).size() == 1",
            message="placement needs exactly one of replicas, nodes, classes",
        ),
    )

    replicas: int | None = declare(
        None, kind="integer", minimum=0, maximum=64,
        text="On so many boards, chosen by memory and by what is there already.",
    )  # fmt: skip
    nodes: tuple[str, ...] | None = declare(
        None, **SET, minItems=1, maxItems=64, items={"type": "string", **NODE_NAME},
        text="On these boards.",
    )  # fmt: skip
    classes: tuple[str, ...] | None = declare(
        None, **SET, minItems=1, maxItems=16, items={"type": "string", **CLASS_NAME},
        text="On every board of these classes.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model that the cluster keeps."""

    RULES: ClassVar[tuple[Cel, ...]] = (
        Cel(
            rule="!has(self.fallback) || self.fallback != self.name",
            message="fallback must be another model",
            field=".fallback",
        ),
    )

    name: str = declare(**MODEL_NAME, text="As Ollama names it, such as llama3.2:3b.")
    placement: PlacementSpec = declare(
        PlacementSpec(replicas=1), kind="object", item=PlacementSpec, shown={"replicas": 1},
        text="Where it is to be resident: exactly one of replicas, nodes, classes.",
    )  # fmt: skip
    preload: bool = declare(
        True, kind="boolean",
        text="Load it before the first request; false: fetch it only.",
    )  # fmt: skip
    keep_alive_s: int | None = declare(
        None, name="keepAliveSeconds", kind="integer", minimum=0, maximum=31_536_000,
        text="How long it stays loaded without requests; absent: as long as it is placed there.",
    )  # fmt: skip
    context_length: int | None = declare(
        None, kind="integer", minimum=128, maximum=1_048_576,
        text="Context in tokens that it is loaded with; absent: Ollama's own.",
    )  # fmt: skip
    aliases: tuple[str, ...] = declare(
        (), **SET, maxItems=8, items={"type": "string", **MODEL_NAME},
        text="Further names that requests may use for it.",
    )  # fmt: skip
    fallback: str | None = declare(
        None, **MODEL_NAME,
        text="Model of this resource that answers where a request allows a fallback.",
    )  # fmt: skip
    retain: bool = declare(
        True, kind="boolean",
        text="Leave it on disk when it leaves the resource; false: delete it there.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSpec:
    """Queueing rules."""

    when_no_node_eligible: WhenNoNodeEligible = declare(
        "Queue", enum=["Queue", "LeastBad", "Reject"],
        text="No board may take work: wait (Queue), use the least bad one, or refuse.",
    )  # fmt: skip
    starvation_bound_s: float = declare(
        60, name="starvationBoundSeconds", kind="number", minimum=0, maximum=3600,
        text="A request that waited this long, plus 0.7 of the queue's drain time, is overtaken no "
             "more.",
    )  # fmt: skip
    energy_tie_s: float = declare(
        0, name="energyTieSeconds", kind="number", minimum=0, maximum=60,
        text="Boards whose expected times differ by less are chosen by energy; 0: never.",
    )  # fmt: skip
    max_queue_requests: int = declare(
        256, kind="integer", minimum=1, maximum=100_000,
        text="Requests that may wait; more are refused.",
    )  # fmt: skip
    max_queue_bytes: int = declare(
        64 << 20, kind="int-or-string", convert=to_bytes, pattern=QUANTITY, maxLength=20,
        minimum=1, shown="64Mi",
        text="Bytes that waiting requests may hold together.",
    )  # fmt: skip
    default_deadline_s: float | None = declare(
        None, name="defaultDeadlineSeconds", kind="number", minimum=1, maximum=86_400,
        text="Deadline of requests that name none; absent: 30 minutes, the backstop.",
    )  # fmt: skip
    max_wait_s: float = declare(
        600, name="maxWaitSeconds", kind="number", minimum=1, maximum=86_400,
        text="A request that is expected to wait longer for a board is refused at once.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackSpec:
    """What Kubernetes itself is told of our boards; needs feedback.enabled in the chart."""

    node_conditions: bool = declare(
        False, kind="boolean", text="Write the condition InferenceReady to our Nodes."
    )
    taints: bool = declare(
        False, kind="boolean",
        text="Taint a board (PreferNoSchedule) while its health gate is closed.",
    )  # fmt: skip
