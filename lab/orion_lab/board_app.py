"""The ASGI application of one simulated board."""

from starlette.applications import Starlette

from orion_lab import control, ollama_api, openai_api
from orion_lab.board import Board


def board_app(board: Board) -> Starlette:
    """Ollama's routes, its OpenAI-shaped ones, and the laboratory's own."""
    return Starlette(
        routes=[*ollama_api.routes(board), *openai_api.routes(board), *control.routes(board)]
    )
