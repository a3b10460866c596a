"""The models on the board's disk and in its memory: what the keeper asks of Ollama."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
from ollama import AsyncClient

from orion_agent.engine_errors import translate
from orion_agent.ollama_engine import CONNECT_S, WRITE_S
from orion_agent.transport import WireTransport
from orion_contracts.errors import EngineCrashed

ANSWER_S = 30.0
"""Deleting a file of gigabytes takes a while on an SD card."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of a pull. `digest` empty: it is about no file."""

    status: str
    digest: str = ""
    completed_bytes: int = 0
    total_bytes: int = 0


class Depot(Protocol):
    """Each method raises orion_contracts.errors.EngineError where the engine fails."""

    def pull(self, model: str, insecure: bool = False) -> AsyncGenerator[Progress]:
        """Fetch it; ends without an error only when it is on disk. Left early, what came stays."""
        ...

    async def copy(self, source: str, destination: str) -> None:
        """Give it another name."""
        ...

    async def delete(self, model: str) -> None:
        """Remove its name from disk, and its files unless another name has them."""
        ...

    async def unload(self, model: str) -> None:
        """Let it leave memory as soon as no request uses it."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class OllamaDepot:
    """One board's Ollama, by the official client."""

    def __init__(self, host: str) -> None:
        secure = host.startswith("https:")
        common: dict[str, Any] = {
            "trust_env": False, "verify": secure, "follow_redirects": False,
            "transport": None if secure else WireTransport(),
        }  # fmt: skip
        # No read timeout: verifying a large file is silent for minutes. The keeper watches.
        patient = httpx.Timeout(CONNECT_S, read=None, write=WRITE_S, pool=None)
        self._patient = AsyncClient(host, timeout=patient, **common)
        self._prompt = AsyncClient(host, timeout=ANSWER_S, **common)

    async def pull(self, model: str, insecure: bool = False) -> AsyncGenerator[Progress]:
        """See Depot."""
        status = ""
        try:
            lines: Any = await self._patient.pull(model, insecure=insecure, stream=True)
            async with aclosing(lines):
                async for line in lines:
                    status = line.status or ""
                    yield Progress(status, line.digest or "", line.completed or 0, line.total or 0)
        except Exception as error:
            raise translate(error, began=True) from error
        if status != "success":
            raise EngineCrashed("the pull ended without `success`")

    async def copy(self, source: str, destination: str) -> None:
        """See Depot."""
        try:
            await self._prompt.copy(source, destination)
        except Exception as error:
            raise translate(error, began=False) from error

    async def delete(self, model: str) -> None:
        """See Depot."""
        try:
            await self._prompt.delete(model)
        except Exception as error:
            raise translate(error, began=False) from error

    async def unload(self, model: str) -> None:
        """See Depot."""
        try:
            await self._prompt.generate(model, keep_alive=0)
        except Exception as error:
            raise translate(error, began=False) from error

    async def aclose(self) -> None:
        """See Depot."""
        await self._patient.close()  # type: ignore[no-untyped-call]
        await self._prompt.close()  # type: ignore[no-untyped-call]
