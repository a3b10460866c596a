"""The router's own policy in the laboratory: the very code that runs on a cluster.

Translates a view into the router's values (boards through the same gates, requests, what boards
hold) and back. What the router cannot know is not read: true lengths, true rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orion_contracts.config import NodeConfig, Routing, Thresholds
from orion_contracts.facts import Facts as EngineFacts
from orion_contracts.health import DiskModel, Engine, NodeHealth, ResidentModel
from orion_contracts.meta import Meta
from orion_contracts.prefixes import Prefix
from orion_lab.boards import BoardSpec
from orion_lab.models import model as model_spec
from orion_lab.rates import decode_s_per_token, load_s, prefill_s_per_token
from orion_lab.sim.asks import Ask
from orion_lab.sim.policies import Facts
from orion_lab.sim.views import BoardView, View
from orion_lab.world import DEFAULT_CONTEXT_TOKENS
from orion_router.fleet import Fleet, Node, normal
from orion_router.learning.learner import Learner
from orion_router.learning.samples import KEPT
from orion_router.policy import DEFAULT_TUNING, Beliefs, Held, Tuning, Waiting, assign
from orion_router.policy.speeds import Learned
from orion_router.sighting import observe

BATCH_SCORE = 1e13


@dataclass(frozen=True, slots=True)
class Wrong:
    """How far beliefs are from the truth, as factors; the defaults are none."""

    rates: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """Per (board, model): believed over true speed, of computing and of loading."""
    lengths: float = 1.0
    """Expected over learned tokens of an answer."""
    history: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """As `rates`, but only what was learned before the run: as many samples as are ever kept."""


NOTHING_WRONG = Wrong()


class Ours:
    """`orion_router.policy`, late binding."""

    def __init__(
        self,
        tuning: Tuning = DEFAULT_TUNING,
        name: str = "ours",
        thresholds: Thresholds | None = None,
        wrong: Wrong = NOTHING_WRONG,
        told_storage: bool = True,
    ) -> None:
        self.name = name
        self._tuning, self._wrong, self._told_storage = tuning, wrong, told_storage
        self._thresholds = thresholds or Thresholds()
        self._routing = Routing()
        self._learner = Learner()
        self._nodes: dict[str, Node] = {}
        self._marks: dict[str, object] = {}
        self._waiting: dict[str, Waiting] = {}
        self._held: dict[str, Held] = {}
        self._models: set[str] = set()
        self.changes = 0
        """How often a waiting request's decision changed the kind of residency: see `plan`."""

    def plan(self, view: View) -> list[tuple[str, str]]:
        """See `Late`."""
        fleet = self._fleet(view)
        if not view.queue:
            return []
        load = {board.name: self._holding(board) for board in view.boards}
        queue = [self._item(ask) for ask in view.queue]
        decisions = assign(
            queue, fleet, load, view.now_s, self._routing,
            beliefs=self._beliefs(view.now_s), tuning=self._tuning,
        )  # fmt: skip
        return [(d.request_id, d.node) for d in decisions if d.verdict == "assign"]

    def finished(self, ask: Ask, board: str, facts: Facts) -> None:
        """See `Learns`."""
        self._waiting.pop(ask.request_id, None)
        held = self._held.pop(ask.request_id, None)
        node = self._nodes.get(board)
        if held is not None and node is not None:
            told = EngineFacts(
                prompt_tokens=facts.prompt_tokens, prompt_s=facts.prompt_s,
                output_tokens=facts.output_tokens, output_s=facts.decode_s, load_s=facts.load_s,
            )  # fmt: skip
            self._learner.finished(node, held, told, facts.at_s)

    def watch(self, view: View) -> None:
        """See `Watches`."""
        self._fleet(view)
        busy = frozenset(board.name for board in view.boards if board.holding)
        self._learner.looked(self._nodes, busy, view.now_s)

    def _beliefs(self, now_s: float) -> Beliefs:
        beliefs = self._learner.beliefs(now_s)
        wrong = self._wrong
        if wrong is NOTHING_WRONG:
            return beliefs
        speeds = {key: _off(value, wrong.rates.get(key, 1.0))
                  for key, value in beliefs.speeds.items()}  # fmt: skip
        outputs = {key: mean * wrong.lengths for key, mean in beliefs.outputs.items()}
        return replace(beliefs, speeds=speeds, outputs=outputs)

    def _item(self, ask: Ask) -> Waiting:
        known = self._waiting.get(ask.request_id)
        if known is None:
            batch = ask.priority == "batch"
            score = (BATCH_SCORE if batch else 0.0) + ask.arrived_s * 1000
            known = Waiting(ask.request_id, _meta(ask), score, ask.arrived_s)
            self._waiting[ask.request_id] = known
            self._models.add(ask.model)
        return known

    def _holding(self, board: BoardView) -> dict[str, Held]:
        found: dict[str, Held] = {}
        for each in board.holding:
            request_id = each.ask.request_id
            held = self._held.get(request_id)
            if held is None or held.since_s != each.dispatched_s:
                held = Held(each.ask.model, self._item(each.ask).meta, each.dispatched_s)
                self._held[request_id] = held
            found[request_id] = held
        return found

    def _fleet(self, view: View) -> Fleet:
        for ask in view.queue:
            self._models.add(ask.model)
        for board in view.boards:
            report = board.reports[-1]
            if board.name not in self._nodes and self._wrong.history:
                known = {m: f for (name, m), f in self._wrong.history.items() if name == board.name}
                self._learner.rates.load(board.name, _history(board.spec, known))
            mark = (report, board.resident, board.loading, board.alive, len(self._models))
            if self._marks.get(board.name) == mark:
                continue
            self._marks[board.name] = mark
            said = NodeConfig(
                storage_bytes_per_second=board.spec.storage_bytes_per_s
                if self._told_storage
                else None
            )
            self._nodes[board.name] = observe(
                self._nodes.get(board.name), board.name, self._health(board), board.alive, False,
                frozenset(), report.at_s, self._thresholds, said,
            )  # fmt: skip
        return Fleet(self._nodes)

    def _health(self, board: BoardView) -> NodeHealth:
        report = board.reports[-1]
        loaded = [name for name in board.resident if name != board.loading]
        return NodeHealth(
            node=board.name,
            incarnation="",
            timestamp="",
            seq=int(report.at_s * 1000),
            engine=Engine(reachable=True, settings={"max_loaded_models": board.spec.max_loaded}),
            temperature_c=report.temperature_c,
            memory_total_bytes=board.memory_total_bytes,
            memory_available_bytes=board.memory_available_bytes,
            resident=tuple(
                ResidentModel(
                    name=name,
                    size_bytes=model_spec(name).resident_bytes(DEFAULT_CONTEXT_TOKENS, 1),
                    expires_at=f"{at:03d}",
                )
                for at, name in enumerate(loaded)
            ),
            models=tuple(
                DiskModel(name=name, size_bytes=model_spec(name).size_bytes)
                for name in sorted(self._models)
            ),
        )


def _meta(ask: Ask) -> Meta:
    return Meta(
        model=ask.model,
        source=ask.user,
        priority=ask.priority,
        session=ask.session,
        input_tokens=ask.input_tokens,
        output_limit=ask.output_limit or 0,
        prefixes=tuple(Prefix(str(mark), tokens) for mark, tokens in ask.prompt_prefix),
    )


def _history(spec: BoardSpec, factors: Mapping[str, float]) -> dict[str, Any]:
    """What a board of this kind would have taught of each model, had it been so many times as
    fast."""
    found: dict[str, Any] = {}
    for model, factor in factors.items():
        size = model_spec(model).size_bytes
        rates = {
            "prefill": factor / prefill_s_per_token(spec, size),
            "decode": factor / decode_s_per_token(spec, size),
            "load_s": load_s(spec, size, page_cached=False) / factor,
            "warm_load_s": load_s(spec, size, page_cached=True) / factor,
        }
        found[normal(model)] = {"best_decode": 0.0, **{k: [v] * KEPT for k, v in rates.items()}}
    return found


def _off(value: Learned, factor: float) -> Learned:
    return Learned(
        _times(value.prefill_tokens_per_s, factor),
        _times(value.decode_tokens_per_s, factor),
        _times(value.load_s, 1.0 / factor),
    )


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
