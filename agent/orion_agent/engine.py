"""What the worker asks of an engine. Tests put a fake in Ollama's place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from orion_agent.outbox import Delta
from orion_contracts.health import DiskModel, ResidentModel
from orion_contracts.messages import InferenceRequest


class Done(NamedTuple):
    """The engine's last word on a request: `done: true` and its own figures."""

    reason: str = "stop"
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    total_s: float = 0.0
    load_s: float = 0.0
    prompt_s: float = 0.0
    output_s: float = 0.0
    context: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Census:
    """What an engine says about itself."""

    version: str
    resident: tuple[ResidentModel, ...]
    models: tuple[DiskModel, ...] | None
    """None: not asked for."""


class Engine(Protocol):
    """Each method raises orion_contracts.errors.EngineError where the engine fails."""

    def run(self, request: InferenceRequest) -> AsyncIterator[Delta | Done]:
        """The answer's tokens, then exactly one Done; anything else raises."""
        ...

    async def load(self, request: InferenceRequest, keep_alive_s: int) -> None:
        """Make the request's model resident, with the options that it would run with."""
        ...

    async def census(self, with_disk: bool) -> Census:
        """Version, resident models and models on disk."""
        ...

    async def probe(self, model: str) -> None:
        """Return when a one-token answer came: the engine works again."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


LOAD_TIME_OPTIONS = frozenset(
    {
        "num_ctx",
        "num_batch",
        "num_gpu",
        "main_gpu",
        "use_mmap",
        "num_thread",
        "draft_num_predict",
    }
)
"""A different value of one of these makes Ollama load the model anew."""


def load_options(request: InferenceRequest) -> dict[str, Any]:
    """The options that decide how the model is loaded."""
    return {k: v for k, v in (request.options or {}).items() if k in LOAD_TIME_OPTIONS}
