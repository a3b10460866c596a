"""Endpoints that generate, as bare ASGI: read, translate, submit, deliver.

A client that leaves cancels its request, unless it gave the request a name (an id or an
Idempotency-Key): then the work goes on, and the same POST or the id brings the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import orjson

from orion_contracts.errors import OrionError, StoreUnavailable, UnknownModel
from orion_contracts.limits import check_model, check_sizes
from orion_contracts.messages import InferenceRequest
from orion_contracts.stamp import iso_now
from orion_router.gateway import identity
from orion_router.gateway.ask import Ask, Shape
from orion_router.gateway.bodies import Body
from orion_router.gateway.body import ClientGone, Receive, Scope, Send, read_body, read_object
from orion_router.gateway.delivery import Delivery, FaultBody
from orion_router.gateway.departure import ClientWatch
from orion_router.gateway.door import Door
from orion_router.gateway.ending import last_words
from orion_router.gateway.faults import ENDING, Fault, fault_of
from orion_router.gateway.headers import RequestHeaders, read_headers, send_fault
from orion_router.gateway.identity import Identity
from orion_router.gateway.options import check_context, stamped
from orion_router.gateway.ports import Following

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One endpoint's protocol: how it asks, answers and complains."""

    read: Callable[[Mapping[str, Any]], Ask]
    shape: Callable[[Ask, Mapping[str, Any], str], Shape]
    fault_body: FaultBody
    embeds: bool = False


class _Wish(NamedTuple):
    """What one body asks for. `mark`: tells it apart from another one under the same id."""

    request: InferenceRequest
    mark: str
    shape: Shape


class Generating:
    """One endpoint."""

    def __init__(self, door: Door, dialect: Dialect) -> None:
        self._door, self._dialect = door, dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; always answered, unless the client is gone."""
        door, dialect = self._door, self._dialect
        request_id, delivery = "", None
        try:
            headers = read_headers(scope)
            who = identity.identify(headers, scope["path"])
            request_id = who.request_id
            deadline_ms = identity.deadline_ms(headers)
            door.check()
            with door.open_body(headers.get(b"content-length", b"")) as body:
                await read_body(receive, body, door.limits.body_bytes)
                with door.enter():
                    follower, shape, stream = await self._submit(scope["path"], body, who, headers)
                    body.release()  # an answer may take long
                    delivery = Delivery(
                        request_id, shape, dialect.fault_body, send, door.hold_s, door.desk.standing
                    )
                    left = await self._deliver(follower, stream, delivery, receive)
            if left and not who.durable:
                log.info("request %s: its client left; cancelling", request_id)
                await door.farewells.say(request_id, deadline_ms)
        except ClientGone:
            return
        except asyncio.CancelledError:
            # The server is ending. The work goes on, and a client that knows the id finds it.
            await last_words(
                delivery.fault(ENDING)
                if delivery
                else send_fault(send, ENDING, dialect.fault_body(ENDING), request_id)
            )
            raise
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

    async def _submit(
        self, path: str, body: Body, who: Identity, headers: RequestHeaders
    ) -> tuple[Following, Shape, bool]:
        """Translate and admit."""
        door = self._door
        door.farewells.forgive(who.request_id)
        wish = await door.read(body, partial(self._read, path, who, headers))
        try:
            # Not watched: an admission is either answered or not begun.
            follower = await door.desk.submit(wish.request, mark=wish.mark)
        except StoreUnavailable:
            if not who.durable:  # perhaps it was admitted, and nobody will ask for it
                door.farewells.owe(who.request_id, wish.request.deadline_ms)
            raise
        return follower, wish.shape, wish.request.stream

    def _read(self, path: str, who: Identity, headers: RequestHeaders, body: Body) -> _Wish:
        """Pure; large bodies are read in a thread."""
        document = read_object(body.take(), self._door.limits)
        ask = self._dialect.read(document)
        shape = self._dialect.shape(ask, document, who.request_id)
        # A new id is its own mark: nothing else was ever asked under it.
        mark = identity.mark(path, document) if who.durable else who.request_id
        return _Wish(self._request(ask, who, headers), mark, shape)

    def _request(self, ask: Ask, who: Identity, headers: RequestHeaders) -> InferenceRequest:
        """The request in the contract's words, within our limits."""
        check_model(ask.model, self._door.limits)
        options = ask.options
        check_context(ask.model, options, self._door.desk.config)
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
            allow_fallback=identity.allow_fallback(headers),
            max_wait_ms=identity.max_wait_ms(headers),
            options=options,
            tools=ask.tools,
            format=ask.format,
            think=ask.think,
            generate=ask.generate,
        )
        check_sizes(request, self._door.limits)
        return request

    async def _deliver(
        self, follower: Following, stream: bool, delivery: Delivery, receive: Receive
    ) -> bool:
        """Bring the answer; whether the client left before its end."""
        watch = ClientWatch(receive)
        try:
            async with watch:
                if stream:
                    await delivery.stream(follower)
                else:
                    await delivery.whole(follower)
        except OrionError as error:
            await delivery.error(error)
        except Exception:
            log.exception("request %s: the delivery failed", follower.request_id)
            await delivery.fault(Fault(500, "the gateway failed; see its log", "internal"))
        finally:
            follower.close()
        return watch.left
