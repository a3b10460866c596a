"""A trace's requests as the simulator's. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from orion_lab.models import CATALOGUE, full_name
from orion_lab.sim.asks import Ask, Prefix
from orion_lab.sim.workloads import CHAT, Workload
from orion_lab.traces.lines import Recorded, Trace

_RAN: Final = ("completed", "cancelled")
_TAIL_S = 60.0
_NOTHING: Prefix = ()


@dataclass(frozen=True, slots=True)
class Replayable:
    """A workload made of a trace, and what was changed to make it one."""

    workload: Workload
    left_out: int
    """Requests that never ran, or whose length nobody knows."""
    stand_ins: Mapping[str, str]
    """Models that the simulator does not know, and those of about their size that it took."""


def replayable(trace: Trace, name: str) -> Replayable:
    """An open loop: the requests come when they came, whatever a policy makes of them.

    Raises:
        ValueError: no request of it can be run again.
    """
    ran = [each for each in trace.requests if each.status in _RAN and each.output_tokens]
    if not ran:
        raise ValueError("no request of this trace can be replayed: none ran to an end")
    names = {each.model: _known(each.model, trace.head.models) for each in ran}
    asks = tuple(_asks(ran, names))
    shares = Counter(ask.model for ask in asks)
    habits = replace(CHAT.habits, models=tuple(shares.most_common()))
    lasts_s = asks[-1].arrived_s + _TAIL_S
    return Replayable(
        replace(CHAT, name=name, trace=asks, habits=habits, lasts_s=lasts_s),
        len(trace.requests) - len(ran),
        {told: used for told, used in names.items() if full_name(told) != used},
    )


def _known(name: str, sizes: Mapping[str, int]) -> str:
    """This model, or the one of the catalogue that is nearest in size."""
    if full_name(name) in CATALOGUE:
        return full_name(name)
    size = sizes.get(name) or sizes.get(full_name(name)) or 1_000_000_000
    return min(CATALOGUE.values(), key=lambda spec: abs(spec.size_bytes - size)).name


def _asks(ran: Iterable[Recorded], names: Mapping[str, str]) -> Iterable[Ask]:
    """Prompts are chains of boundaries: a chain goes on where an earlier one of the same file left
    it, and the boundary that follows is that one's answer."""
    known: dict[tuple[str, str], Prefix] = {}
    answers: dict[tuple[str, int], Prefix] = {}
    for number, each in enumerate(ran):
        model = names[each.model]
        tokens = max(1, each.input_tokens)
        chain = _NOTHING
        digests = [digest for digest, _ in each.prefixes] or [f"alone {number}"]
        estimates = dict(each.prefixes)
        for digest in digests:
            if (model, digest) in known:
                chain = known[model, digest]
                continue
            leaf, last = chain[-1] if chain else (0, 0)
            if (model, leaf) in answers:
                chain = known[model, digest] = answers.pop((model, leaf))
            else:
                boundary = (len(known) + 1, max(last + 1, estimates.get(digest, tokens)))
                chain = known[model, digest] = (*chain, boundary)
        *begin, (leaf, _) = chain
        before = begin[-1][1] if begin else 0
        chain = (*begin, (leaf, max(tokens, before + 1)))
        known[model, digests[-1]] = chain
        ask = Ask(
            request_id=f"r{number:06d}",
            model=model,
            user=each.source or "nobody",
            session=each.session or f"alone {number}",
            priority=_priority(each.priority),
            input_tokens=chain[-1][1],
            prompt_prefix=chain,
            output_tokens=each.output_tokens,
            arrived_s=each.at_s,
            reply_hash=-number - 1,
            output_limit=each.output_limit or None,
        )
        answers[model, chain[-1][0]] = ask.whole
        yield ask


def _priority(text: str) -> Literal["interactive", "batch"]:
    return "batch" if text == "batch" else "interactive"
