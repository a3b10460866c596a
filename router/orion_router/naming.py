"""Which model a request is for, decided once at its admission: alias, then fallback."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace

from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import describe
from orion_contracts.naming import by_real_name
from orion_router.forecast import Forecast
from orion_router.policy.fallback import choose
from orion_router.watch import Watch

log = logging.getLogger(__name__)


class Naming:
    """Settles requests by the configuration, the boards and the plan at hand."""

    def __init__(self, watch: Watch, forecast: Forecast) -> None:
        self._watch, self._forecast = watch, forecast
        self.fallbacks: Counter[str] = Counter()
        """Requests that another model answers, by what kept the one asked for from it."""

    def settle(self, request: InferenceRequest) -> InferenceRequest:
        """The request as it is to be run; the same object where nothing changes."""
        config = self._watch.config
        request = by_real_name(request, config)
        if not request.allow_fallback:
            return request
        meta = describe(request)
        choice = choose(
            request.model, meta.num_ctx, config, self._watch.fleet,
            lambda model: self._forecast.expected_wait_s(replace(meta, model=model)),
            self._forecast.most_wait_s(request),
        )  # fmt: skip
        if not choice.why:
            return request
        self.fallbacks[choice.why] += 1
        log.info("request %s: %s answers for %s (%s)", request.request_id, choice.model,
                 request.called, choice.why)  # fmt: skip
        return replace(request, model=choice.model, fallback_from=request.called, answer_as="")
