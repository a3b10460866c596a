"""Admission over HTTP: what is hopeless is refused, what fits is dispatched in the same step."""

from __future__ import annotations

import time

from orion_contracts.ledger import Admission, Ledger
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import Meta
from orion_router.forecast import Forecast
from orion_router.planner import Planner
from orion_router.policy import Waiting
from orion_router.watch import Watch


class Admissions:
    """Puts requests into the ledger, with a board where the planner lives here and has one free."""

    def __init__(self, ledger: Ledger, watch: Watch, planner: Planner, forecast: Forecast) -> None:
        self._ledger, self._watch, self._planner = ledger, watch, planner
        self._forecast = forecast

    async def admit(
        self, request: InferenceRequest, body: bytes, meta: Meta, mark: str, mailbox: str
    ) -> Admission:
        """What the ledger said. `mailbox`: where its chunks go, or nowhere. Raises UnknownModel,
        NoNodeEligible, QueueWait, and QueueFull."""
        planner, backlog = self._planner, self._planner.backlog
        planned = planner.reckoned(meta)
        self._forecast.refuse_hopeless(request)
        decision = None
        if not backlog.knows(request.request_id):  # a repeated one has its place
            decision = planner.place(request.request_id, planned)
            if decision is not None:
                backlog.hold(decision.node, request.request_id, planned)
            else:
                self._forecast.refuse_long_wait(request, planned)
        routing = self._watch.config.routing
        try:
            admission = await self._ledger.admit(
                request,
                body,
                meta.to_bytes(),
                mailbox=mailbox,
                mark=mark,
                max_requests=routing.max_queue_requests,
                max_bytes=routing.max_queue_bytes,
                node=decision.node if decision else "",
                epoch=planner.lease.epoch,
                depth=decision.depth if decision else 0,
            )
        except BaseException:
            if decision is not None:
                backlog.withdraw(decision.node, request.request_id)
            raise
        if admission.state == "ASSIGNED" and decision is not None:
            planner.note(decision)
        elif admission.state == "NEW":
            self._enqueue(request.request_id, planned)
        elif decision is not None:
            backlog.withdraw(decision.node, request.request_id)
        if admission.state == "REJECTED":
            raise self._forecast.queue_full(admission.detail)
        return admission

    def _enqueue(self, request_id: str, meta: Meta) -> None:
        planner = self._planner
        if planner.lease.held:  # spare the planner its look into the ledger
            now_s = time.monotonic()
            score = (0 if meta.priority == "interactive" else 1) * 1e13 + time.time() * 1000
            planner.backlog.enqueue(Waiting(request_id, meta, score, now_s))
            planner.wake()
