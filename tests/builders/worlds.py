"""Round numbers for the policy's tests: 100 prompt tokens/s, 10 answer tokens/s, loads of 10 s."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from orion_contracts.messages import MAX_WHOLE
from orion_router.fleet import Node
from orion_router.held import Held
from orion_router.policy.beliefs import Beliefs, Chain, Running
from orion_router.policy.heat import Climate
from orion_router.policy.lanes import Lane
from orion_router.policy.plan import Planning
from orion_router.policy.speeds import Learned
from orion_router.policy.tuning import Tuning
from orion_router.policy.values import Load, Waiting

M1, M2, M3 = "m1:latest", "m2:latest", "m3:latest"
LOAD_S = 10.0
FIGURES = Learned(100.0, 10.0, LOAD_S)
NAMES = ("a", "b", "c", "d")
FIXED = Tuning(
    margin_s=5.0, waste_price=0.5, drain_factor=1.0, batch_ages_s=300.0, versatility=0.0,
    decode_weight=1.0, patience=0.0, lost_prompts=1.0,
)  # fmt: skip
"""Round numbers that stay when the laboratory finds better ones."""


def about(value: float) -> Any:
    """Equal but for rounding, wherever a float may stand."""
    return pytest.approx(value)


class KeptPrompts:
    """Prompt caches: per last hash of a chain, the tokens that each board keeps."""

    def __init__(
        self, lasts: bool = True, risks: Mapping[tuple[str, str], float] | None = None,
        **leaves: Mapping[str, int],
    ) -> None:  # fmt: skip
        """`lasts`: whether what runs leaves them there; `risks`: tokens per board and model that
        the next prompt pushes out; twice as many go with the model."""
        self._leaves, self._lasts, self._risks = leaves, lasts, risks or {}

    def kept(self, model: str, chain: Chain) -> Mapping[str, int]:
        """See `Prompts`."""
        return self._leaves.get(chain[-1][0], {}) if chain else {}

    def lasts(self, node: str, model: str, running: Sequence[Running]) -> Mapping[str, bool]:
        """See `Prompts`."""
        return {} if self._lasts else dict.fromkeys(self._leaves, False)

    def at_risk(self, node: str, model: str, now_s: float, all_of_them: bool) -> float:
        """See `Prompts`."""
        return self._risks.get((node, model), 0.0) * (2.0 if all_of_them else 1.0)


def beliefs(
    *names: str, climates: Mapping[str, Climate] | None = None, outputs: float = 128.0,
    prompts: KeptPrompts | None = None, usage_s: Mapping[str, float] | None = None,
) -> Beliefs:  # fmt: skip
    """The round figures for these boards and three models."""
    speeds = {(n, m): FIGURES for n in names or NAMES for m in (M1, M2, M3)}
    return Beliefs(
        speeds, {("", ""): outputs}, prompts or KeptPrompts(), usage_s or {},
        climates=climates or {},
    )  # fmt: skip


def lane(
    board: Node, held: dict[str, Held] | None = None, now_s: float = 0.0,
    known: Beliefs | None = None, heat: bool = True,
) -> Lane:  # fmt: skip
    """One board during a planning step."""
    return Lane(board, held or {}, known or beliefs(), now_s, heat)


def planned(
    boards: Iterable[Node], queue: list[Waiting], load: Load | None = None, now_s: float = 0.0,
    known: Beliefs | None = None, tuning: Tuning = FIXED, whole: bool = False,
    suspects: frozenset[str] = frozenset(), starvation_s: float = MAX_WHOLE,
) -> tuple[Planning, dict[str, str]]:  # fmt: skip
    """A planning step, and which request goes where now."""
    planning = Planning(boards, load or {}, known or beliefs(), tuning, now_s, suspects)
    due = planning.run(queue, starvation_s, lambda item: item.meta.pin, whole)
    return planning, {item.request_id: lane.name for item, lane in due}
