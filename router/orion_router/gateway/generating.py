"""Endpoints that generate, as bare ASGI: read, translate, submit, deliver.

A client that leaves cancels its request, unless it gave the request a name (an id or an
Idempotency-Key): then the work goes on, and the same POST or the id brings the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from orion_contracts.errors import OrionError, UnknownModel
from orion_contracts.limits import check_model, check_sizes
from orion_contracts.messages import InferenceRequest
from orion_contracts.stamp import iso_now
from orion_router.gateway import identity
from orion_router.gateway.ask import Ask, Shape
from orion_router.gateway.body import ClientGone, Receive, Scope, Send, read_body, read_object
from orion_router.gateway.delivery import Delivery, FaultBody
from orion_router.gateway.departure import ClientWatch
from orion_router.gateway.door import Door
from orion_router.gateway.faults import Fault, fault_of
from orion_router.gateway.headers import RequestHeaders, read_headers, send_fault
from orion_router.gateway.identity import Identity
from orion_router.gateway.options import stamped

log = logging.getLogger(__name__)

ENDING = Fault(503, "the server is shutting down; ask again", "server_shutting_down", 5)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One endpoint's protocol: how it asks, answers and complains."""

    read: Callable[[Mapping[str, Any]], Ask]
    shape: Callable[[Ask, Mapping[str, Any], str], Shape]
    fault_body: FaultBody
    embeds: bool = False


class Generating:
    """One endpoint."""

    def __init__(self, door: Door, dialect: Dialect) -> None:
        self._door, self._dialect = door, dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; always answered, unless the client is gone."""
        door, dialect = self._door, self._dialect
        request_id = ""
        try:
            headers = read_headers(scope)
            who = identity.identify(headers, scope["path"])
            request_id = who.request_id
            with door.enter():
                raw = await read_body(receive, door.limits.body_bytes)
                document = read_object(raw, door.limits)
                ask = dialect.read(document)
                shape = dialect.shape(ask, document, request_id)
                request = self._request(ask, who, headers)
                mark = identity.mark(scope["path"], document) if who.durable else ""
                delivery = Delivery(request_id, shape, dialect.fault_body, send, door.hold_s)
                await self._deliver(request, mark, who, delivery, receive)
        except ClientGone:
            return
        except OrionError as error:
            fault = fault_of(error)
            if dialect.embeds and isinstance(error, UnknownModel) and error.model:
                name = orjson.dumps(error.model).decode()  # Ollama has other words for it here
                fault = fault._replace(text=f"model {name} not found, try pulling it first")
            await send_fault(send, fault, dialect.fault_body(fault), request_id)
        except Exception:
            log.exception("request %s: the gateway failed", request_id)
            fault = Fault(500, "the gateway failed; see its log", "internal")
            await send_fault(send, fault, dialect.fault_body(fault), request_id)

    def _request(self, ask: Ask, who: Identity, headers: RequestHeaders) -> InferenceRequest:
        """The request in the contract's words, within our limits."""
        check_model(ask.model, self._door.limits)
        options = ask.options
        if ask.stream and (options is None or "seed" not in options):
            options = stamped(options, identity.seed_of(who.request_id))
        request = InferenceRequest(
            request_id=who.request_id,
            model=ask.model,
            messages=ask.messages,
            timestamp=iso_now(),
            source=who.source,
            keep_alive_seconds=ask.keep_alive_seconds,
            operation=ask.operation,
            stream=ask.stream,
            priority=identity.priority(headers),
            deadline_ms=identity.deadline_ms(headers),
            session=identity.session(headers),
            options=options,
            tools=ask.tools,
            format=ask.format,
            think=ask.think,
            generate=ask.generate,
        )
        check_sizes(request, self._door.limits)
        return request

    async def _deliver(
        self,
        request: InferenceRequest,
        mark: str,
        who: Identity,
        delivery: Delivery,
        receive: Receive,
    ) -> None:
        desk = self._door.desk
        # Not watched: an admission is either answered or not begun.
        follower = await desk.submit(request, mark=mark)
        watch = ClientWatch(receive)
        try:
            async with watch:
                if request.stream:
                    await delivery.stream(follower)
                else:
                    await delivery.whole(follower)
        except OrionError as error:
            await delivery.error(error)
        except asyncio.CancelledError:
            # The server is ending. The work goes on, and a client that knows the id finds it.
            with suppress(Exception):
                await delivery.fault(ENDING)
            raise
        except Exception:
            log.exception("request %s: the delivery failed", who.request_id)
            await delivery.fault(Fault(500, "the gateway failed; see its log", "internal"))
        finally:
            follower.close()
        if watch.left and not who.durable:
            log.info("request %s: its client left; cancelling", who.request_id)
            await desk.cancel(who.request_id)
