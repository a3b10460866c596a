"""Which model answers where a client allows a smaller one (pure).

The configuration orders models: `models[].fallback` names the next one. The first that can be
served now takes the request: a board that may work has it, it fits there, its context is long
enough, it can do what the request needs, and nothing measured says that it would wait for longer
than allowed. Where none can, the request stays with the model that was asked for, as does one that
would mean something else with another model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from orion_contracts.aliases import ladder, tagged
from orion_contracts.config import ClusterConfig, ModelConfig
from orion_contracts.messages import InferenceRequest
from orion_router.fleet import Fleet, Node
from orion_router.policy.footing import fits
from orion_router.policy.pool import pool

ExpectedWait = Callable[[str], float | None]
"""Seconds until a request for this model would begin; None: not known."""


class Choice(NamedTuple):
    """The model to use."""

    model: str
    why: str = ""
    """What keeps the model that was asked for from being served; empty: nothing, it is this one."""


def exchangeable(request: InferenceRequest) -> bool:
    """Whether another model can do what is asked. Vectors of two models cannot be compared, who
    only loads or unloads a model means just this one, and so do a context (its token ids) and a
    prompt that was put into its template by hand."""
    if any((request.generate or {}).get(name) for name in ("context", "raw", "template")):
        return False
    if request.operation == "generate":
        return any(message.get("content") for message in request.messages)
    return request.operation == "chat" and bool(request.messages)


def needs(request: InferenceRequest) -> frozenset[str]:
    """The capabilities, in Ollama's words, without which a model cannot answer it."""
    wanted = {
        "vision": any(message.get("images") for message in request.messages),
        "tools": bool(request.tools),
        "thinking": bool(request.think),
        "insert": bool((request.generate or {}).get("suffix")),
    }
    return frozenset(name for name, is_wanted in wanted.items() if is_wanted)


def choose(
    model: str,
    num_ctx: int | None,
    config: ClusterConfig,
    fleet: Fleet,
    wait_s: ExpectedWait,
    most_wait_s: float,
    needed: frozenset[str] = frozenset(),
) -> Choice:
    """For a request whose client allows it. `model`: a real name; `num_ctx`: the context that the
    client asks for; `needed`: capabilities."""
    rungs = [config.real_name(each) for each in ladder(config.models, model)]
    if not rungs:
        return Choice(model)
    boards = pool(fleet, config.routing)
    why = _obstacle(model, boards, wait_s, most_wait_s)
    if not why:
        return Choice(model)
    for rung in rungs:
        if _too_short(rung, num_ctx, config.models) or _lacks(rung, needed, fleet):
            continue
        if not _obstacle(rung, boards, wait_s, most_wait_s):
            return Choice(rung, why)
    return Choice(model)


def _obstacle(model: str, boards: Iterable[Node], wait_s: ExpectedWait, most_wait_s: float) -> str:
    """Why it cannot be served now, in one word; empty when it can."""
    name = tagged(model)
    having = [node for node in boards if name in node.on_disk]
    if not having:
        return "no_board"
    if not any(fits(node, name) for node in having):
        return "no_room"
    expected_s = wait_s(model)
    return "wait" if expected_s is not None and expected_s > most_wait_s else ""


def _lacks(model: str, needed: frozenset[str], fleet: Fleet) -> bool:
    """Whether some board says of it that it cannot do what is needed; old engines say nothing."""
    name = tagged(model)
    having = (node.on_disk[name] for node in fleet.nodes.values() if name in node.on_disk)
    return any(each.capabilities and not needed <= {*each.capabilities} for each in having)


def _too_short(model: str, num_ctx: int | None, models: Sequence[ModelConfig]) -> bool:
    """Whether it is configured with a shorter context than the client asks for."""
    name = tagged(model)
    most = next((m.context_length for m in models if tagged(m.name) == name), None)
    return most is not None and num_ctx is not None and num_ctx > most
