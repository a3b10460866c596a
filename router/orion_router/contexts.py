"""How much of a prompt an engine reads: no more than its context (pure)."""

from __future__ import annotations

from dataclasses import replace

from orion_contracts.config import ClusterConfig
from orion_contracts.footprint import DEFAULT_CONTEXT
from orion_contracts.meta import Meta
from orion_router.fleet import Fleet, normal

MOST_TOKENS = 131_072
"""A client may ask for any context, and a long one is no reason to reckon with more than a board of
this kind could ever hold."""


def within_context(meta: Meta, config: ClusterConfig, fleet: Fleet) -> Meta:
    """The same facts with a prompt that is no longer than what will be read of it: Ollama cuts off
    the rest. Reckoned in full, one megabyte of text would be hours of work in everybody's plan."""
    if meta.input_tokens <= DEFAULT_CONTEXT:
        return meta
    most = max(meta.num_ctx or 0, context_tokens(meta.model, config, fleet))
    most = min(most, MOST_TOKENS)
    return meta if meta.input_tokens <= most else replace(meta, input_tokens=most)


def context_tokens(model: str, config: ClusterConfig, fleet: Fleet) -> int:
    """The context that the model is run with: configured, seen on a board, or Ollama's default;
    of several the longest."""
    name = normal(model)
    told = [each.context_length or 0 for each in config.models if normal(each.name) == name]
    seen = [
        each.context_length
        for node in fleet.nodes.values()
        if node.health is not None
        for each in node.health.resident
        if normal(each.name) == name
    ]
    return max([DEFAULT_CONTEXT, *told, *seen])
