"""How much of a prompt an engine reads: no more than its context (pure)."""

from __future__ import annotations

from dataclasses import replace

from orion_contracts.config import ClusterConfig
from orion_contracts.footprint import DEFAULT_CONTEXT
from orion_contracts.meta import Meta
from orion_router.fleet import Fleet, normal

LONG_CONTEXT = 32_768
"""As much is reckoned with where nobody has told the context, and no more for a client's word."""


def within_context(meta: Meta, config: ClusterConfig, fleet: Fleet) -> Meta:
    """The same facts with a prompt that is no longer than what will be read of it: Ollama cuts off
    the rest. Reckoned in full, one megabyte of text would be hours of work in everybody's plan.

    What is cut begins anew with every turn: no cache has its beginning. Embeddings are many texts
    in one, each with the whole context to itself, and stay as they are.
    """
    if meta.input_tokens <= DEFAULT_CONTEXT or meta.operation == "embed":
        return meta
    most = _context_tokens(meta, config, fleet)
    if meta.input_tokens <= most:
        return meta
    return replace(meta, input_tokens=most, prefixes=())


def _context_tokens(meta: Meta, config: ClusterConfig, fleet: Fleet) -> int:
    """The longest of those that are known: configured, seen on a board, asked for."""
    name = normal(meta.model)
    known = [each.context_length or 0 for each in config.models if normal(each.name) == name]
    for node in fleet.nodes.values():
        resident = node.health.resident if node.health else ()
        known += [each.context_length for each in resident if normal(each.name) == name]
    longest = max(known, default=0)
    return max(longest, min(meta.num_ctx or longest or LONG_CONTEXT, LONG_CONTEXT))
