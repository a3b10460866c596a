"""One simulated board: its hardware, its heat and memory, and the Ollama that runs on it."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import exp, inf
from random import Random
from typing import Final

from orion_lab import memory, rates, thermal, world
from orion_lab.boards import BoardSpec
from orion_lab.depot import Depot
from orion_lab.engine import Engine
from orion_lab.errors import RUNNER_KILLED, ApiError
from orion_lab.faults import FaultBox
from orion_lab.meter import BusyMeter
from orion_lab.models import CATALOGUE, ModelSpec
from orion_lab.scheduler import Fingerprint, Scheduler
from orion_lab.stats import Stats

_LOADAVG_TAU_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class BoardSettings:
    """How one board is set up; `speed` is board seconds per wall-clock second."""

    name: str
    spec: BoardSpec
    models: Mapping[str, ModelSpec] = field(default_factory=dict[str, ModelSpec])
    slots: int = 1
    max_loaded: int = 0  # 0: the board's own
    max_queue: int = world.DEFAULT_MAX_QUEUE
    keep_alive_s: float = world.DEFAULT_KEEP_ALIVE_S
    speed: float = 1.0
    ambient_c: float = world.AMBIENT_C
    version: str = "0.30.0"
    # Conversations whose KV cache a loaded model keeps; 1 is one slot without a host prompt cache.
    cached_prompts: int = 1
    # What a pull finds; and how fast it comes, in bytes per board second (0: as the board is).
    registry: Mapping[str, ModelSpec] = field(default_factory=lambda: dict(CATALOGUE))
    pull_bytes_per_s: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What the board's sensors show."""

    temperature_c: float
    used_bytes: int
    cached_bytes: int
    load_average: float


class Board:
    """The state of a board. Physical processes run `speed` times faster than the wall clock;
    what clients say in seconds (keep-alive) and what they are told (durations) is wall time."""

    def __init__(
        self, settings: BoardSettings, engine: Engine, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self.spec = settings.spec
        self.engine = engine
        self.models = dict(settings.models)
        self.stats = Stats()
        self.faults = FaultBox()
        self.depot = Depot(self.models, settings.registry, self._pull_rate(), self.faults)
        self.rng = Random(f"{settings.seed}/{settings.name}")
        self.generating = BusyMeter(now)
        self._loading = BusyMeter(now)
        self._temperature_c = thermal.steady_c(self.spec, settings.ambient_c, 0.0)
        self._load_average = 0.0
        self._page_cache = memory.PageCache()
        self.scheduler = Scheduler(
            self._load,
            slots=settings.slots,
            max_loaded=settings.max_loaded or self.spec.max_loaded,
            max_queue=settings.max_queue,
            keep_alive_s=settings.keep_alive_s,
        )

    def _pull_rate(self) -> float:
        own = inf if self.spec.instant else world.PULL_BYTES_PER_S
        return (self.settings.pull_bytes_per_s or own) * self.settings.speed

    @property
    def resident_bytes(self) -> int:
        """Memory of all loaded models."""
        slots = self.settings.slots
        return sum(
            runner.model.resident_bytes(runner.fingerprint.context_tokens, slots)
            for runner in self.scheduler.runners.values()
        )

    @property
    def temperature_c(self) -> float:
        """Temperature of the processor, or what a fault pins it to."""
        pinned = self.faults.now.temperature_c
        return self._temperature_c if pinned is None else pinned

    def reading(self) -> Reading:
        """The sensors now."""
        used = memory.used_bytes(self.resident_bytes)
        pinned = self.faults.now.used_ram_percent
        if pinned is not None:
            used = int(self.spec.ram_bytes * pinned / 100)
        cached = sum(size for _, size in self._page_cache.files)
        return Reading(self.temperature_c, used, cached, self._load_average)

    def advance(self, wall_s: float) -> None:
        """Let `wall_s` seconds of wall-clock time pass for heat and load average."""
        if wall_s <= 0:
            return
        busy = min(1.0, self.generating.drain_s() / wall_s)
        loading = min(1.0, self._loading.drain_s() / wall_s)
        target_c = thermal.steady_c(self.spec, self.settings.ambient_c, busy, loading)
        dt_s = wall_s * self.settings.speed
        self._temperature_c = thermal.step_c(self._temperature_c, target_c, dt_s)
        self.stats.max_c = max(self.stats.max_c, self._temperature_c)
        keep = exp(-dt_s / _LOADAVG_TAU_S)
        self._load_average = self._load_average * keep + busy * self.spec.cpus * (1 - keep)

    def decode_wall_s(self, model: ModelSpec) -> float:
        """Wall-clock seconds until the next token: the memory bandwidth is shared by everything
        that generates, and a hot board is slower."""
        if self.spec.instant:
            return 0.0
        board_s = rates.decode_s_per_token(self.spec, model.size_bytes)
        crowd = max(1, self.generating.active)
        return board_s * crowd / rates.throttle_factor(self.temperature_c) / self.settings.speed

    async def _load(self, model: ModelSpec, fingerprint: Fingerprint) -> None:
        cached = self._page_cache.holds(model.digest)
        board_s = rates.load_s(self.spec, model.size_bytes, page_cached=cached)
        wall_s = board_s / self.settings.speed + self.faults.now.load_delay_s
        resident = self.resident_bytes + model.resident_bytes(
            fingerprint.context_tokens, self.settings.slots
        )
        try:
            with self._loading.busy():
                if wall_s > 0:
                    await asyncio.sleep(wall_s)
        except asyncio.CancelledError:
            self.stats.loads_aborted += 1
            raise
        room = memory.cache_room_bytes(self.spec, resident)
        self._page_cache = self._page_cache.after_read(model.digest, model.size_bytes, room)
        if not memory.fits(self.spec, resident):
            # Nothing checks before loading on a CPU-only board: the kernel ends it instead.
            raise ApiError(500, RUNNER_KILLED)
        self.stats.of(model.name).cold_loads += 1
        self.stats.disk_loads += not cached
        self.stats.loading_s += board_s
