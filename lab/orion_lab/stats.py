"""What a board counts: evidence for tests and benchmarks."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class ModelStats:
    """Counters of one model."""

    started: int = 0
    finished: int = 0
    cancelled: int = 0
    failed: int = 0
    cold_loads: int = 0
    tokens: int = 0

    def as_json(self) -> dict[str, int]:
        """Field names to values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Stats:
    """Counters of one board. `inside` is the number of generating requests between their arrival
    and their end; `rejected` answers never entered (bad request, unknown model, fault)."""

    models: dict[str, ModelStats] = field(default_factory=dict[str, ModelStats])
    inside: int = 0
    max_inside: int = 0
    generating: int = 0
    max_generating: int = 0
    rejected: int = 0
    load_only: int = 0
    unload_only: int = 0
    loads_aborted: int = 0
    crashes: int = 0
    disk_loads: int = 0
    loading_s: float = 0.0
    """Board seconds of all completed loads."""
    max_c: float = 0.0

    def of(self, model: str) -> ModelStats:
        """The counters of this model."""
        found = self.models.get(model)
        if found is None:
            found = self.models[model] = ModelStats()
        return found

    @contextmanager
    def request(self, model: ModelStats) -> Generator[None]:
        """Count one request as inside."""
        model.started += 1
        self.inside += 1
        self.max_inside = max(self.max_inside, self.inside)
        try:
            yield
        finally:
            self.inside -= 1

    @contextmanager
    def slot(self) -> Generator[None]:
        """Count one request as generating."""
        self.generating += 1
        self.max_generating = max(self.max_generating, self.generating)
        try:
            yield
        finally:
            self.generating -= 1

    def as_json(self) -> dict[str, object]:
        """Totals over all models, the board's own counters, and each model's."""
        totals = {
            name: sum(getattr(model, name) for model in self.models.values())
            for name in ModelStats.__slots__
        }
        own = {name: getattr(self, name) for name in self.__slots__ if name != "models"}
        models = {name: model.as_json() for name, model in self.models.items()}
        return {**totals, **own, "models": models}
