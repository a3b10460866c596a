"""The shape of an InferenceCluster's status: what its schema is generated from (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from orion_operator.fields import declare
from orion_operator.names import KEYED, TYPED

MAX_ROWS = 64
_TEXTS = {"type": "string", "maxLength": 512}
_WORDS = {"type": "string", "maxLength": 200}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """As in every Kubernetes API: an observation, with a reason and the remedy in the message."""

    type: str = declare(maxLength=64, text="What is observed.")
    status: str = declare(enum=["True", "False", "Unknown"], text="Whether it holds.")
    reason: str = declare("", maxLength=128, text="One word for machines.")
    message: str = declare("", maxLength=2048, text="What it is, and what to do about it.")
    last_transition_time: str = declare(
        "", format="date-time", text="When the status last changed."
    )
    observed_generation: int = declare(
        0, kind="integer", minimum=0, text="Generation of the spec that it was observed for."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One board."""

    name: str = declare(maxLength=128, text="The Kubernetes node.")
    node_class: str = declare("", name="class", maxLength=63, text="Its class.")
    state: str = declare("", maxLength=64, text="Eligible, or the word for why not.")
    temperature_band_c: int | None = declare(
        None, kind="integer", text="Its temperature, rounded down to five degrees."
    )
    resident: tuple[str, ...] = declare(
        (), kind="array", maxItems=32, items=_WORDS, text="Models in its memory."
    )
    reasons: tuple[str, ...] = declare(
        (), kind="array", maxItems=16, items=_TEXTS, text="Why it is in this state."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model."""

    name: str = declare(maxLength=200, text="As in the spec.")
    wanted: int = declare(0, kind="integer", text="Boards that it is planned on.")
    resident: int = declare(0, kind="integer", text="Boards that hold it in memory.")
    pulling: str = declare("", maxLength=200, text="Progress where it is being fetched.")
    message: str = declare("", maxLength=1024, text="Where it is planned, or why it is not.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One line for `kubectl get icl`."""

    nodes: str = declare("", maxLength=32, text="Eligible boards of all that run models.")
    models: str = declare("", maxLength=32, text="Models resident as wanted, of all.")
    queue: int | None = declare(None, kind="integer", text="Requests that wait.")
    hottest: str = declare("", maxLength=160, text="Temperature and name of the hottest board.")
    excluded_nodes: int = declare(0, kind="integer", text="Boards that get nothing of ours.")
    more_nodes: int = declare(0, kind="integer", text="Boards beyond the rows of the table.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """What the operator observed."""

    observed_generation: int = declare(
        0, kind="integer", minimum=0, text="Generation of the spec that was last acted upon."
    )
    config_generation: int = declare(
        0, kind="integer", minimum=0, text="Generation of the configuration in the store."
    )
    summary: Summary = declare(Summary(), kind="object", item=Summary, shown=None,
                               text="One line.")  # fmt: skip
    conditions: tuple[Condition, ...] = declare(
        (), **TYPED, item=Condition, maxItems=16, text="Observations."
    )
    nodes: tuple[NodeRow, ...] = declare(
        (), **KEYED, item=NodeRow, maxItems=MAX_ROWS, text="Boards; those in trouble first."
    )
    models: tuple[ModelRow, ...] = declare(
        (), **KEYED, item=ModelRow, maxItems=MAX_ROWS, text="Models."
    )

    @property
    def more_than_shown(self) -> bool:
        """Whether there are boards without a row."""
        return self.summary.more_nodes > 0
