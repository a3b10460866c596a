"""A board's models on disk: what its registry offers, and how far each download has come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from orion_lab.faults import FaultBox
from orion_lab.models import ModelSpec, full_name

TICK_S: Final = 0.06
"""Ollama's own interval between two reports of progress."""
_CONFIG_BYTES: Final = 483
NO_MANIFEST: Final = "pull model manifest: file does not exist"


class PullFailed(Exception):
    """The text of the last line of a pull that fails."""


class PullCut(Exception):
    """A fault asks for the connection to break here."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One file of a model."""

    digest: str
    size_bytes: int


@dataclass
class Depot:
    """Downloads of one board; interrupted ones go on where they stopped."""

    models: dict[str, ModelSpec]
    registry: Mapping[str, ModelSpec]
    bytes_per_s: float
    faults: FaultBox
    done: dict[str, int] = field(default_factory=dict[str, int])
    """Bytes of each layer that have come."""
    pulled: int = 0
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def pull(self, name: str) -> AsyncGenerator[Mapping[str, Any]]:
        """Progress as Ollama reports it.

        Raises:
            PullFailed: the registry has no such model, or a fault.
            PullCut: see there.
        """
        yield {"status": "pulling manifest"}
        spec = self.registry.get(full_name(name))
        if (error := self.faults.now.pull_error) is not None:
            raise PullFailed(error)
        if spec is None:
            raise PullFailed(NO_MANIFEST)
        async with self._one:  # a second pull of the same files finds them
            for layer in layers(spec):
                async for line in self._download(layer):
                    yield line
        yield {"status": "verifying sha256 digest"}
        yield {"status": "writing manifest"}
        self.models[spec.name] = spec
        self.pulled += 1
        yield {"status": "success"}

    def delete(self, name: str) -> bool:
        """Remove a name, and its files unless another name has them; False: no such model."""
        if (spec := self.models.pop(name, None)) is None:
            return False
        if all(other.digest != spec.digest for other in self.models.values()):
            for layer in layers(spec):
                self.done.pop(layer.digest, None)
        return True

    async def _download(self, layer: Layer) -> AsyncGenerator[Mapping[str, Any]]:
        report = {
            "status": f"pulling {layer.digest[:12]}",
            "digest": f"sha256:{layer.digest}",
            "total": layer.size_bytes,
        }
        done = self.done.get(layer.digest, 0)
        yield {**report, "completed": done} if done else report
        step = max(1, int(min(self.bytes_per_s * TICK_S, layer.size_bytes)))
        while done < layer.size_bytes:
            await self._break_at(done / layer.size_bytes)
            if self.bytes_per_s < float("inf"):
                await asyncio.sleep(min(step, layer.size_bytes - done) / self.bytes_per_s)
            done = self.done[layer.digest] = min(done + step, layer.size_bytes)
            yield {**report, "completed": done}

    async def _break_at(self, share: float) -> None:
        fault = self.faults.now
        if fault.pull_stall_at is not None and share >= fault.pull_stall_at:
            await self.faults.hang()
        if fault.pull_cut_at is not None and share >= fault.pull_cut_at:
            raise PullCut


def layers(spec: ModelSpec) -> tuple[Layer, ...]:
    """The weights, then the configuration."""
    config = sha256(f"config of {spec.digest}".encode()).hexdigest()
    weights = sha256(f"weights of {spec.digest}".encode()).hexdigest()
    return Layer(weights, spec.size_bytes - _CONFIG_BYTES), Layer(config, _CONFIG_BYTES)
