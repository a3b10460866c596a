"""Everything the planner has learned, and what follows from one more finished request (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orion_router.fleet import Node, normal
from orion_router.held import Held
from orion_router.learning.heat import HeatBook
from orion_router.learning.outputs import OutputBook
from orion_router.learning.pages import PageBook
from orion_router.learning.prompts import PromptBook
from orion_router.learning.rates import RateBook
from orion_router.learning.usage import UsageBook
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.heat import derate
from orion_router.policy.speeds import NOTHING, speed


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of a finished run; times in seconds, 0 where unknown."""

    prompt_s: float = 0.0
    output_tokens: int = 0
    output_s: float = 0.0
    load_s: float = 0.0


class Learner:
    """The books, and the snapshot of them that a plan reads."""

    def __init__(self) -> None:
        self.heat = HeatBook()
        self.rates = RateBook()
        self.outputs = OutputBook()
        self.pages = PageBook()
        self.prompts = PromptBook()
        self.usage = UsageBook()

    def beliefs(self, now_s: float) -> Beliefs:
        """What the policy may reckon with now."""
        return Beliefs(
            self.rates.speeds, self.outputs.means, self.prompts, self.usage.at(now_s),
            self.pages, self.heat.climates,
        )  # fmt: skip

    def finished(self, node: Node, held: Held, outcome: Outcome, now_s: float) -> None:
        """A request ran to its end on this board."""
        meta, model = held.meta, normal(held.model)
        if meta is None:
            return
        slower = derate(node)
        kept = self.prompts.kept(model, meta.prefixes) if meta.prefixes else {}
        cached = min(meta.input_tokens, kept.get(node.name, 0))
        pace = self.beliefs(now_s).speed(node, model)
        uncached_s = meta.input_tokens * pace.prefill_s_per_token * slower
        warm = self._judge_load(node, model, outcome.load_s)
        self.rates.learn(
            node.name, model, fresh_tokens=0 if cached else meta.input_tokens,
            prompt_s=outcome.prompt_s, output_tokens=outcome.output_tokens,
            output_s=outcome.output_s, load_s=outcome.load_s, warm=warm, derate=slower,
        )  # fmt: skip
        if not meta.output_limit or outcome.output_tokens < meta.output_limit:
            self.outputs.learn(model, meta.priority, outcome.output_tokens)
        self.prompts.used(
            node.name, model, meta.prefixes, outcome.output_tokens, node.slots,
            outcome.prompt_s, uncached_s,
        )  # fmt: skip
        self.usage.add(meta.source, outcome.prompt_s + outcome.output_s + outcome.load_s, now_s)

    def _judge_load(self, node: Node, model: str, load_s: float) -> bool:
        """Whether a load came from the page cache; the book of pages learns from it."""
        file = node.on_disk.get(model)
        size = file.size_bytes if file else 0
        warm = False
        if load_s > 0 and size:
            told = node.said.storage_bytes_per_second
            known = self.rates.speeds.get((node.name, model), NOTHING)
            disk_s = speed(size, told, known).load_s
            warm_s = speed(size, told, known, warm=True).load_s
            warm = load_s < (disk_s * warm_s) ** 0.5
            self.pages.judge(node.name, self.pages.warm(node, model), warm)
        self.pages.used(node.name, model, size)
        return warm

    def looked(self, nodes: Mapping[str, Node], busy: frozenset[str], now_s: float) -> None:
        """New reports: heat, and what left a board's memory left its prompt cache. `busy`: boards
        that hold work."""
        self.heat.looked(nodes, busy, now_s)
        self.heat.forget(frozenset(nodes))
        self.pages.forget(frozenset(n for n, node in nodes.items() if node.state != "lost"))
        for name, node in nodes.items():
            for model in self.prompts.models(name):
                if node.state == "lost" or (node.health and model not in node.resident):
                    self.prompts.forget(name, model)
