"""The gateway: Ollama's, OpenAI's and our own HTTP interfaces in front of the desk."""

from orion_router.gateway.app import Gateway, create_app

__all__ = ["Gateway", "create_app"]
