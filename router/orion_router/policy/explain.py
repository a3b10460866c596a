"""Why a request goes where it goes: each board with its terms in seconds, or one word (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orion_router.fleet import Node, normal
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.columns import LOOKED_AT
from orion_router.policy.costs import FAILED_THERE_S, Offered
from orion_router.policy.footing import fits
from orion_router.policy.lanes import Lane
from orion_router.policy.recall import Recall
from orion_router.policy.tuning import Tuning
from orion_router.policy.values import Candidate, Load, Terms, Waiting

SHOWN = 16
"""Boards that a decision tells of: all of a small fleet, the best of a large one."""
SAME_S = 0.001
NOTHING: Mapping[str, Offered] = {}


def candidates(
    item: Waiting,
    nodes: Iterable[Node],
    load: Load,
    lanes: Sequence[Lane],
    cooling: frozenset[str],
    beliefs: Beliefs,
    tuning: Tuning,
    pin: str = "",
    offered: Mapping[str, Offered] = NOTHING,
) -> tuple[Candidate, ...]:
    """The boards, the cheapest first, then those that cannot take it, by name. `pin`: the board
    that it has to go to. `offered`: what the plan compared them by (a board that it left out has no
    terms); without it they are told of as if nothing else were planned there."""
    at = {lane.name: lane for lane in lanes}
    meta = item.meta
    model, chain = normal(meta.model), meta.prefixes
    cached: Mapping[str, int] = beliefs.prompts.kept(model, chain) if chain else {}
    if cached:
        cached = Recall(beliefs, lanes).lasting(meta, model, cached)
    output = beliefs.output_tokens(model, meta.priority, meta.output_limit)
    looked: list[tuple[bool, float, str, int, Candidate]] = []
    for node in nodes:
        name = node.name
        lane, held = at.get(name), load.get(name, ())
        reason = _obstacle(item, node, lane, model, cooling, pin)
        terms, cost_s, known = None, 0.0, offered.get(name)
        left_out = bool(offered) and known is None
        if left_out and not reason:
            # Of a small fleet the plan leaves out only what is for one that saw a crash.
            reason = "suspect" if len(lanes) <= LOOKED_AT else "not_compared"
        if lane is not None and not left_out and reason in ("", "full"):
            terms = _terms(item, lane, model, cached.get(name, 0), output, beliefs, tuning, known)
            cost_s = terms.cost_s
            if (
                not reason
                and not lane.coolest
                and lane.too_warm_s(terms.prefill_s + terms.decode_s)
            ):
                reason = "resting"
        found = Candidate(name, reason, model in node.resident, len(held), terms)
        looked.append((terms is None, cost_s, name, len(looked), found))
    looked.sort()
    return tuple([each for *_, each in looked[:SHOWN]])


def _obstacle(
    item: Waiting, node: Node, lane: Lane | None, model: str, cooling: frozenset[str], pin: str
) -> str:
    """Why this board cannot take the request now, in one word; empty when it can."""
    if node.health is not None and model not in node.on_disk:
        return "no_model"
    if lane is None and node.reasons:
        return node.reasons[0]
    if pin and node.name != pin:
        return "pinned"
    if node.name in cooling:
        return "cooling"
    if lane is None or (item.crashes and lane.held):
        return "suspect"
    if not fits(node, model):
        return "no_room"
    if not lane.free:
        return "full"
    return ""


def _terms(
    item: Waiting, lane: Lane, model: str, cached: int, output: float, beliefs: Beliefs,
    tuning: Tuning, offered: Offered | None,
) -> Terms:  # fmt: skip
    fare = lane.stand.fare(model, beliefs, tuning)
    pace = beliefs.speed(lane.node, model) if fare is None else fare.pace
    fresh = max(0, item.meta.input_tokens - cached)
    prefill_s = fresh * pace.prefill_s_per_token * lane.derate
    decode_s = output * pace.decode_s_per_token * lane.derate
    if offered is not None:
        cost_s, begin_s, load_s = offered
        price_s = cost_s - (begin_s + load_s + prefill_s + decode_s)
    else:
        _, begin_s, load_s = lane.alone_place(model, pace.load_s)
        price_s = tuning.margin_s if load_s else 0.0
        price_s += FAILED_THERE_S if lane.name in item.failed_on else 0.0
    return Terms(begin_s, load_s, prefill_s, decode_s, price_s, lane.derate, cached)


def why(node: str, looked: Iterable[Candidate]) -> str:
    """In one word why the request goes to this board, among those that were compared."""
    compared: list[Terms] = []
    mine: Terms | None = None
    warm = False
    for each in looked:
        if each.terms is not None:
            compared.append(each.terms)
        if each.node == node:
            mine, warm = each.terms, each.resident
    if mine is None:
        return "resident" if warm else "soonest"
    if mine.cost_s - min([terms.cost_s for terms in compared]) > SAME_S:
        return "least_energy"
    sooner = [terms for terms in compared if mine.completion_s - terms.completion_s > SAME_S]
    if sooner:
        loads = warm and any(terms.load_s > 0.0 for terms in sooner)
        return "spares_load" if loads else "spares_board"
    return "resident" if warm else "soonest"
