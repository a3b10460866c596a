"""Which model a request is for, decided once at its admission: alias, then fallback."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import NamedTuple

from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import describe
from orion_contracts.naming import by_real_name
from orion_router.forecast import Forecast
from orion_router.policy.fallback import choose, exchangeable, needs
from orion_router.watch import Watch

log = logging.getLogger(__name__)


class Settled(NamedTuple):
    """A request as it is to be run."""

    request: InferenceRequest
    """The very object that came, where nothing changes."""
    why: str = ""
    """What keeps the model that was asked for from answering; empty: it answers."""


class Naming:
    """Settles requests by the configuration, the boards and the plan at hand."""

    def __init__(self, watch: Watch, forecast: Forecast) -> None:
        self._watch, self._forecast = watch, forecast
        self.fallbacks: Counter[str] = Counter()
        """Requests that another model answers, by what kept the one asked for from it."""

    def settle(self, request: InferenceRequest) -> Settled:
        """Which model it is for."""
        config = self._watch.config
        request = by_real_name(request, config)
        if not request.allow_fallback or not exchangeable(request):
            return Settled(request)
        meta = describe(request)
        choice = choose(
            request.model, meta.num_ctx, config, self._watch.fleet,
            lambda model: self._forecast.expected_wait_s(replace(meta, model=model)),
            self._forecast.most_wait_s(request), needs(request),
        )  # fmt: skip
        if not choice.why:
            return Settled(request)
        smaller = replace(request, model=choice.model, fallback_from=request.called, answer_as="")
        return Settled(smaller, choice.why)

    def accepted(self, settled: Settled) -> None:
        """The ledger took it as a new request: one that is refused, or known already, changes
        nobody's model, however often it is asked."""
        request, why = settled
        if why:
            self.fallbacks[why] += 1
            log.info("request %s: %s answers for %s (%s)", request.request_id, request.model,
                     request.fallback_from, why)  # fmt: skip
