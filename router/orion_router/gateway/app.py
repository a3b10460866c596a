"""The gateway as one ASGI application: which path goes where."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp

from orion_contracts.errors import OrionError
from orion_contracts.limits import DEFAULT_LIMITS, Limits
from orion_router.gateway import ollama_in, openai_in
from orion_router.gateway.ask import Ask, Shape
from orion_router.gateway.attach import Attach
from orion_router.gateway.bodies import MOST_BYTES, Bodies
from orion_router.gateway.body import Message, Receive, Scope, Send
from orion_router.gateway.delivery import HOLD_S
from orion_router.gateway.door import MOST_OPEN, Door
from orion_router.gateway.embeddings import OllamaEmbedShape, OpenAIEmbedShape
from orion_router.gateway.ending import Finished
from orion_router.gateway.faults import ollama_error, openai_error, spell_for
from orion_router.gateway.generating import Dialect, Generating
from orion_router.gateway.headers import HeaderList, send_fault
from orion_router.gateway.health_api import Vitals
from orion_router.gateway.ollama_out import OllamaShape
from orion_router.gateway.openai_out import OpenAIShape
from orion_router.gateway.origins import Origins, Verdict, origin_of
from orion_router.gateway.pages import answer_error, not_allowed, not_found, routes
from orion_router.gateway.ports import Desk

log = logging.getLogger(__name__)


class Gateway:
    """Generating endpoints are looked up in a table; everything else goes through Starlette."""

    def __init__(
        self, hot: Mapping[tuple[str, str], ASGIApp], rest: ASGIApp, door: Door, origins: Origins
    ) -> None:
        self._hot, self._rest, self._origins = hot, rest, origins
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan."""
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        try:
            if (origin := origin_of(scope)) is not None:
                verdict = self._origins.judge(origin, scope)
                if verdict.status:
                    await _answer(verdict, scope["path"], send)
                    return
                send = _with_headers(send, verdict.headers)
            app = self._hot.get((scope["method"], scope["path"]), self._rest)
            await app(scope, receive, send)
        except asyncio.CancelledError:  # only the server's end comes as far as this
            log.info("%s %s: cut off by the server's end", scope["method"], scope["path"])


async def _answer(verdict: Verdict, path: str, send: Send) -> None:
    if verdict.fault is not None:
        await send_fault(send, verdict.fault, spell_for(path)(verdict.fault), "")
        return
    await send(
        {"type": "http.response.start", "status": verdict.status, "headers": verdict.headers}
    )
    await send({"type": "http.response.body", "body": b""})


def _with_headers(send: Send, more: HeaderList) -> Send:
    if not more:
        return send

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return sending


def create_app(
    desk: Desk,
    vitals: Vitals,
    version: str,
    *,
    limits: Limits = DEFAULT_LIMITS,
    most_open: int = MOST_OPEN,
    most_bytes: int = MOST_BYTES,
    hold_s: float = HOLD_S,
    origins: Iterable[str] = (),
) -> Gateway:
    """The application in front of `desk`. `origins`: of web pages that may use it, besides its
    own and those of this computer."""
    door = Door(desk, limits, most_open, hold_s, bodies=Bodies(most_bytes))
    hot: dict[tuple[str, str], ASGIApp] = {
        ("POST", path): Generating(door, dialect) for path, dialect in _DIALECTS.items()
    }
    rest = Starlette(
        routes=routes(door, vitals, version, Attach(door), tuple(_DIALECTS)),
        exception_handlers={OrionError: answer_error, 404: not_found, 405: not_allowed},
    )
    return Gateway(hot, Finished(rest), door, Origins.allowing(origins))


def _ollama_chat(ask: Ask, document: Mapping[str, Any], request_id: str) -> Shape:
    return OllamaShape(ask.model, chat=True)


def _ollama_generate(ask: Ask, document: Mapping[str, Any], request_id: str) -> Shape:
    raw = bool((ask.generate or {}).get("raw"))
    return OllamaShape(ask.model, chat=False, context=not raw)


def _light(ask: Ask) -> Ask:
    """Without its texts: they need not stay in memory until the answer comes."""
    return replace(ask, messages=(), generate=None)


def _ollama_embed(ask: Ask, document: Mapping[str, Any], request_id: str) -> Shape:
    return OllamaEmbedShape(_light(ask))


def _ollama_embeddings(ask: Ask, document: Mapping[str, Any], request_id: str) -> Shape:
    return OllamaEmbedShape(_light(ask), first_only=True)


def _openai_chat(ask: Ask, document: Mapping[str, Any], request_id: str) -> Shape:
    usage = openai_in.wants_usage(document)
    return OpenAIShape(ask.model, request_id, chat=True, usage=usage)


def _openai_completion(ask: Ask, document: Mapping[str, Any], request_id: str) -> Shape:
    usage = openai_in.wants_usage(document)
    return OpenAIShape(ask.model, request_id, chat=False, usage=usage)


def _openai_embeddings(ask: Ask, document: Mapping[str, Any], request_id: str) -> Shape:
    encoding = str(document.get("encoding_format") or "")
    return OpenAIEmbedShape(_light(ask), as_base64=encoding.lower() == "base64")


def _prompt_as_input(document: Mapping[str, Any]) -> Ask:
    return ollama_in.embed({**document, "input": document.get("prompt")})


_DIALECTS: Mapping[str, Dialect] = {
    "/api/chat": Dialect(ollama_in.chat, _ollama_chat, ollama_error),
    "/api/generate": Dialect(ollama_in.generate, _ollama_generate, ollama_error),
    "/api/embed": Dialect(ollama_in.embed, _ollama_embed, ollama_error, embeds=True),
    "/api/embeddings": Dialect(_prompt_as_input, _ollama_embeddings, ollama_error),
    "/v1/chat/completions": Dialect(openai_in.chat, _openai_chat, openai_error),
    "/v1/completions": Dialect(openai_in.completion, _openai_completion, openai_error),
    "/v1/embeddings": Dialect(openai_in.embeddings, _openai_embeddings, openai_error, embeds=True),
}
