"""The models that a board has in memory, their kept prompts, and the page cache behind them."""

from typing import NamedTuple

from orion_lab import rates
from orion_lab.boards import BoardSpec
from orion_lab.memory import PageCache, cache_room_bytes, fits, used_bytes
from orion_lab.models import ModelSpec, model
from orion_lab.sim.conditions import Conditions
from orion_lab.sim.prompts import Prompts
from orion_lab.world import DEFAULT_CONTEXT_TOKENS


class Load(NamedTuple):
    """What making a model resident took; nothing if it was."""

    seconds: float
    from_disk: bool


_NO_LOAD = Load(0.0, False)


class Residents:
    """Loaded models, least recently used first; the least recently used makes room."""

    def __init__(self, spec: BoardSpec, conditions: Conditions) -> None:
        self._spec, self._conditions = spec, conditions
        self._prompts: dict[str, Prompts] = {}
        self._cache = PageCache()
        self._used_bytes = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Least recently used first."""
        return tuple(self._prompts)

    @property
    def available_bytes(self) -> int:
        """Memory as MemAvailable counts it: the page cache is free."""
        return max(0, self._spec.ram_bytes - used_bytes(self._used_bytes))

    def prompts(self, name: str) -> Prompts:
        """The kept prompts of a resident model."""
        return self._prompts[name]

    def place(self, spec: ModelSpec) -> bool:
        """Make it resident at no cost, before a run; False if there is no room."""
        if spec.name in self._prompts or not self._fits(spec):
            return False
        self._admit(spec)
        return True

    def use(self, spec: ModelSpec) -> Load:
        """Make it resident, and the most recently used."""
        if spec.name in self._prompts:
            self._prompts[spec.name] = self._prompts.pop(spec.name)
            return _NO_LOAD
        while self._prompts and not self._fits(spec):
            oldest = next(iter(self._prompts))
            del self._prompts[oldest]
            self._used_bytes -= resident_bytes(model(oldest))
        warm = self._cache.holds(spec.digest)
        self._admit(spec)
        return Load(rates.load_s(self._spec, spec.size_bytes, page_cached=warm), not warm)

    def clear(self) -> None:
        """Power is lost."""
        self._prompts.clear()
        self._cache = PageCache()
        self._used_bytes = 0

    def _fits(self, spec: ModelSpec) -> bool:
        return len(self._prompts) < self._spec.max_loaded and fits(
            self._spec, self._used_bytes + resident_bytes(spec)
        )

    def _admit(self, spec: ModelSpec) -> None:
        conditions = self._conditions
        self._prompts[spec.name] = Prompts(
            conditions.prompts_kept, conditions.prompt_room_tokens(spec)
        )
        self._used_bytes += resident_bytes(spec)
        if conditions.page_cache:
            room = cache_room_bytes(self._spec, self._used_bytes)
            self._cache = self._cache.after_read(spec.digest, spec.size_bytes, room)


def resident_bytes(spec: ModelSpec) -> int:
    """Memory of this model with Ollama's default context and one slot."""
    return spec.resident_bytes(DEFAULT_CONTEXT_TOKENS, 1)
