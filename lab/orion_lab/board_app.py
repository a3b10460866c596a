"""The ASGI application of one simulated board."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from orion_lab import control, depot_api, ollama_api, openai_api
from orion_lab.board import Board


def board_app(board: Board) -> Starlette:
    """Ollama's routes, its OpenAI-shaped ones, and the laboratory's own."""
    return Starlette(
        routes=[
            *ollama_api.routes(board),
            *depot_api.routes(board),
            *openai_api.routes(board),
            *control.routes(board),
        ],
        exception_handlers={404: _no_page, 405: _no_method},
    )


# Gin's words.
async def _no_page(request: Request, error: Exception) -> Response:
    return PlainTextResponse("404 page not found", 404)


async def _no_method(request: Request, error: Exception) -> Response:
    return PlainTextResponse("405 method not allowed", 405)
