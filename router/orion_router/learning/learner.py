"""Everything the planner has learned, and what follows from one more finished request (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from orion_contracts.facts import Facts
from orion_contracts.footprint import context_bytes
from orion_contracts.meta import Meta
from orion_router.fleet import Node, normal
from orion_router.held import Held
from orion_router.learning.heat import HeatBook
from orion_router.learning.news import News
from orion_router.learning.outputs import OutputBook
from orion_router.learning.pages import PageBook
from orion_router.learning.prompts import PromptBook
from orion_router.learning.rates import RateBook
from orion_router.learning.returns import ReturnBook
from orion_router.learning.usage import UsageBook
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.heat import derate
from orion_router.policy.speeds import NOTHING, speed


class Learner:
    """The books, and the snapshot of them that a plan reads."""

    def __init__(self) -> None:
        self.news = News()
        self.heat = HeatBook()
        self.rates = RateBook(self.news)
        self.outputs = OutputBook(self.news)
        self.pages = PageBook(self.news)
        self.prompts = PromptBook()
        self.returns = ReturnBook()
        self.usage = UsageBook()

    def beliefs(self, now_s: float) -> Beliefs:
        """What the policy may reckon with now."""
        return Beliefs(
            self.rates.speeds, self.outputs.means, self.prompts, self.usage.at(now_s),
            self.pages, self.heat.climates, self.news.latest,
        )  # fmt: skip

    def finished(self, node: Node, held: Held, facts: Facts, now_s: float) -> None:
        """A request ran to its end on this board."""
        meta, model = held.meta, normal(held.model)
        if meta is None:
            return
        slower = derate(node)
        again = self.prompts.seen(node.name, model, meta.prefixes)
        pace = self.beliefs(now_s).speed(node, model)
        uncached_s = meta.input_tokens * pace.prefill_s_per_token * slower
        warm = self._judge_load(node, model, facts.load_s)
        fresh_tokens = 0 if again or _differs(meta, facts) else meta.input_tokens
        self.rates.learn(
            node.name, model, fresh_tokens=fresh_tokens,
            prompt_s=facts.prompt_s, output_tokens=facts.output_tokens,
            output_s=facts.output_s, load_s=facts.load_s, warm=warm, derate=slower,
            version=node.health.engine.version if node.health else "",
        )  # fmt: skip
        cut = facts.reason == "length" or 0 < meta.output_limit <= facts.output_tokens
        if not cut:
            self.outputs.learn(model, meta.priority, facts.output_tokens)
        self.returns.answered(meta.priority, meta.prefixes, held.since_s, now_s)
        self.prompts.pause_s = self.returns.pause_s
        self.prompts.used(
            node.name, model, meta.prefixes, facts.output_tokens, node.slots, facts.prompt_s,
            uncached_s, _most_tokens(node, model), now_s, self.returns.share(meta.priority),
            facts.prompt_tokens,
        )  # fmt: skip
        self.usage.add(meta.source, facts.prompt_s + facts.output_s + facts.load_s, now_s)

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
        self.news.forget(nodes.keys())
        for name in self.prompts.boards() - nodes.keys():
            self.prompts.drop(name)
        for name, node in nodes.items():
            for model in self.prompts.models(name):
                if node.state == "lost" or (node.health and model not in node.resident):
                    self.prompts.forget(name, model)


COUNTS_DIFFER = 4.0
"""Tokens are reckoned from bytes: no language and no picture is farther off than that."""


def _differs(meta: Meta, facts: Facts) -> bool:
    """Whether the engine read so much less of the prompt, or more, than was reckoned with, that the
    time it took says nothing of its speed."""
    reckoned, read = meta.input_tokens, facts.prompt_tokens
    return read > 0 and not read / COUNTS_DIFFER <= reckoned <= read * COUNTS_DIFFER


def _most_tokens(node: Node, model: str) -> int | None:
    """What fits into the prompt cache that the engine was given; None where nobody told."""
    told = node.health.prompt_cache_bytes if node.health else None
    file = node.on_disk.get(model)
    if told is None or file is None or not file.size_bytes:
        return None
    return round(told / max(1, context_bytes(file.size_bytes, 1, 1)))
