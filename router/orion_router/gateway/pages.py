"""The routes that do not generate, and what becomes of errors in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from orion_contracts.errors import InvalidRequest, OrionError
from orion_contracts.limits import is_request_id
from orion_router.fleet import Fleet
from orion_router.gateway import decisions_api, health_api, management, metadata, nodes_api
from orion_router.gateway.ask import read_text
from orion_router.gateway.bodies import Body
from orion_router.gateway.body import ClientGone, read_body, read_object
from orion_router.gateway.door import Door
from orion_router.gateway.faults import fault_of, spell_for
from orion_router.gateway.headers import announced, read_headers
from orion_router.gateway.health_api import Vitals
from orion_router.gateway.page import page
from orion_router.gateway.requests_api import RequestsApi, json_response
from orion_router.gateway.urls import read_limit

Handler = Callable[[Request], Awaitable[Response]]


def routes(
    door: Door, vitals: Vitals, version: str, attach: ASGIApp, post_only: tuple[str, ...]
) -> list[BaseRoute]:
    """All of them. `post_only`: paths served elsewhere, listed so that a GET there is a 405."""
    desk = door.desk

    def told(read: Callable[[Fleet], Any]) -> Handler:
        async def answer(request: Request) -> Response:
            return json_response(read(desk.fleet))

        return answer

    async def root(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(page(desk.fleet, version))
        return PlainTextResponse("Ollama is running")

    async def show(request: Request) -> Response:
        with door.open_body(announced(request.scope)) as body:
            try:
                await read_body(request.receive, body, door.limits.body_bytes)
            except ClientGone:
                return Response(status_code=499)
            name = await door.read(body, name_in)
        if not name:
            raise InvalidRequest("model is required", "model")
        return json_response(metadata.show(desk.fleet, name, desk.config.aliases))

    def name_in(body: Body) -> str:
        document = read_object(body.take(), door.limits)
        return read_text(document, "model") or read_text(document, "name")

    async def openai_model(request: Request) -> Response:
        name = str(request.path_params["model"])
        return json_response(metadata.openai_model(desk.fleet, name, desk.config.aliases))

    async def decisions(request: Request) -> Response:
        request_id = request.query_params.get("request_id", "")
        if request_id and not is_request_id(request_id):
            raise InvalidRequest("request_id: must be a UUID", "request_id")
        told = desk.decisions(read_limit(request, decisions_api.MOST), request_id)
        return json_response(decisions_api.decisions(told))

    async def manage(request: Request) -> Response:
        raise management.refusal(request.url.path)

    async def health(request: Request) -> Response:
        status, document = health_api.health(
            desk.fleet, vitals, version, door.open, desk.config_error, desk.slow
        )
        response = json_response(document, status, {"cache-control": "max-age=1"})
        response.headers["content-type"] = health_api.HEALTH_JSON
        return response

    async def livez(request: Request) -> Response:
        return json_response({"status": "pass"})

    async def readyz(request: Request) -> Response:
        status, document = health_api.ready(vitals)
        return json_response(document, status)

    async def elsewhere(request: Request) -> Response:
        raise RuntimeError("served by the table of generating endpoints")

    own = RequestsApi(door)
    one = "/v1/requests/{request_id}"
    return [
        Route("/", root),
        Route("/api/version", told(lambda fleet: metadata.version(fleet, version))),
        Route("/api/tags", told(lambda fleet: metadata.tags(fleet, desk.config.aliases))),
        Route("/api/ps", told(metadata.running)),
        Route("/api/show", show, methods=["POST"]),
        Route("/v1/models", told(lambda fleet: metadata.openai_models(fleet, desk.config.aliases))),
        Route("/v1/models/{model:path}", openai_model),
        Route("/v1/nodes", told(lambda fleet: nodes_api.nodes(fleet, desk.slow))),
        Route("/v1/queue", own.queue),
        Route("/v1/decisions", decisions),
        Route("/v1/requests", own.submit, methods=["POST"]),
        Route("/v1/requests", own.listing),
        Route(one, own.get),
        Route(one, own.cancel, methods=["DELETE"]),
        Route(one + "/cancel", own.cancel, methods=["POST"]),
        Route(one + "/events", attach, methods=["GET"]),
        Route("/health", health),
        Route("/livez", livez),
        Route("/readyz", readyz),
        *(Route(path, manage, methods=[method]) for path, method in management.PATHS),
        *(Route(path, elsewhere, methods=["POST"]) for path in post_only),
    ]


async def answer_error(request: Request, error: Exception) -> Response:
    """One of our errors as an answer in the shape of the path."""
    if not isinstance(error, OrionError):  # Starlette's type is wider than what it hands over
        raise error
    fault = fault_of(error)
    body = spell_for(request.url.path)(fault)
    headers: dict[str, str] = {}
    if fault.retry_after_s is not None:
        headers["retry-after"] = str(fault.retry_after_s)
    if request_id := read_headers(request.scope).get(b"x-orion-request-id"):
        headers["x-orion-request-id"] = request_id.decode("latin-1")[:64]
    return Response(body, fault.status, headers, "application/json; charset=utf-8")


async def not_found(request: Request, error: Exception) -> Response:
    """An unknown path, as Ollama's server words it."""
    return PlainTextResponse("404 page not found", 404)


async def not_allowed(request: Request, error: Exception) -> Response:
    """A known path with another method."""
    allow: Any = getattr(error, "headers", None)
    return PlainTextResponse("405 method not allowed", 405, allow)
