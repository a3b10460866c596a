"""A simulated board: resident models, page cache, heat, the request it serves and its own queue."""

from collections import deque

from orion_lab import rates
from orion_lab.boards import BoardSpec
from orion_lab.memory import PageCache, cache_room_bytes, fits, used_bytes
from orion_lab.models import ModelSpec, model
from orion_lab.sim.asks import Ask
from orion_lab.sim.conditions import Conditions
from orion_lab.sim.heat import above_s, after_c, work_takes_s
from orion_lab.sim.prompts import Prompts
from orion_lab.sim.service import Service
from orion_lab.sim.views import BoardView, Holding, Report
from orion_lab.thermal import steady_c
from orion_lab.world import DEFAULT_CONTEXT_TOKENS, THROTTLE_FROM_C

_REPORTS_SEEN = 3


class Board:
    """One board of a run. The kernel starts, finishes and kills what it serves."""

    def __init__(self, name: str, spec: BoardSpec, conditions: Conditions) -> None:
        self.name, self.spec, self.conditions = name, spec, conditions
        ambient_c = conditions.ambient_c
        self._idle_c = steady_c(spec, ambient_c, 0.0)
        self._load_c = steady_c(spec, ambient_c, 0.0, 1.0)
        self._busy_c = steady_c(spec, ambient_c, 1.0)
        self._since_s, self._from_c = 0.0, self._idle_c
        self._resident: dict[str, Prompts] = {}  # least recently used first
        self._cache = PageCache()
        self.service: Service | None = None
        self.waiting: list[tuple[Ask, float]] = []  # with the time of dispatch
        self.up = self.seen_alive = True
        self.reports: deque[Report] = deque(maxlen=64)
        self.busy_s = self.loading_s = self.hot_s = self.throttled_s = 0.0
        self.max_c = self._idle_c
        self.loads = self.disk_loads = 0
        self.prefilled_s = self.saved_s = 0.0

    # --- models ---------------------------------------------------------------------------------

    @property
    def resident(self) -> tuple[str, ...]:
        """Loaded models, least recently used first."""
        return tuple(self._resident)

    def _resident_bytes(self) -> int:
        return sum(_resident_bytes(model(name)) for name in self._resident)

    def place(self, name: str) -> bool:
        """Make a model resident before the run; False if there is no room."""
        spec = model(name)
        if len(self._resident) >= self.spec.max_loaded or name in self._resident:
            return False
        if not fits(self.spec, self._resident_bytes() + _resident_bytes(spec)):
            return False
        self._admit(spec)
        return True

    def _admit(self, spec: ModelSpec) -> None:
        self._resident[spec.name] = Prompts(
            self.conditions.prompts_kept, self.conditions.prompt_room_tokens(spec)
        )
        if self.conditions.page_cache:
            room = cache_room_bytes(self.spec, self._resident_bytes())
            self._cache = self._cache.after_read(spec.digest, spec.size_bytes, room)

    def _load(self, spec: ModelSpec, service: Service) -> None:
        needed = _resident_bytes(spec)
        while self._resident and (
            len(self._resident) >= self.spec.max_loaded
            or not fits(self.spec, self._resident_bytes() + needed)
        ):
            del self._resident[next(iter(self._resident))]
        warm = self._cache.holds(spec.digest)
        seconds = rates.load_s(self.spec, spec.size_bytes, page_cached=warm)
        service.loaded_s = service.started_s + seconds
        service.disk = not warm
        self.loads += 1
        self.disk_loads += not warm
        self.loading_s += seconds
        self._admit(spec)

    # --- serving --------------------------------------------------------------------------------

    def start(self, ask: Ask, dispatched_s: float, now_s: float) -> Service:
        """Begin to serve; the board must be idle and up."""
        service = Service(ask, dispatched_s, now_s)
        spec = model(ask.model)
        here_c = self._settle(now_s)
        if ask.model in self._resident:
            self._resident[ask.model] = self._resident.pop(ask.model)
        else:
            self._load(spec, service)
        service.load_from_c = here_c
        service.work_from_c = work_c = after_c(here_c, self._load_c, service.load_s)
        prompts = self._resident[ask.model]
        cached = min(prompts.cached_tokens(ask.prompt_prefix), ask.input_tokens - 1)
        per_token_s = rates.prefill_s_per_token(self.spec, spec.size_bytes)
        service.prefilled_tokens = ask.input_tokens - cached
        prefill_s = service.prefilled_tokens * per_token_s
        decode_s = ask.output_tokens * rates.decode_s_per_token(self.spec, spec.size_bytes)
        self.prefilled_s += prefill_s
        self.saved_s += cached * per_token_s
        service.work_s = prefill_s + decode_s
        service.first_token_s = service.loaded_s + work_takes_s(prefill_s, work_c, self._busy_c)
        service.done_s = service.loaded_s + work_takes_s(service.work_s, work_c, self._busy_c)
        self.service = service
        return service

    def finish(self, now_s: float) -> None:
        """The request is done, or lost: account for it, and cool down."""
        service = self.service
        assert service is not None
        if now_s >= service.done_s:
            self._resident[service.ask.model].add(service.ask.whole)
        self._settle(now_s)
        self.service = None

    def die(self, now_s: float) -> list[Ask]:
        """Lose power: what was resident or cached is gone. The requests it had, in order."""
        lost = [self.service.ask] if self.service else []
        lost += [ask for ask, _ in self.waiting]
        if self.service:
            self.finish(now_s)
        self.waiting.clear()
        self._resident.clear()
        self._cache = PageCache()
        self.up = False
        return lost

    # --- heat -----------------------------------------------------------------------------------

    def temperature_c(self, now_s: float) -> float:
        """The true temperature; `now_s` lies between this service's start and end, if any."""
        service = self.service
        if service is None:
            return after_c(self._from_c, self._idle_c, now_s - self._since_s)
        if now_s < service.loaded_s:
            return after_c(service.load_from_c, self._load_c, now_s - service.started_s)
        return after_c(service.work_from_c, self._busy_c, now_s - service.loaded_s)

    def _settle(self, now_s: float) -> float:
        """Account for the heat since the last call; the temperature now."""
        here_c = self.temperature_c(now_s)
        service = self.service
        if service is None:
            self.hot_s += above_s(self._from_c, self._idle_c, now_s - self._since_s)
        else:
            loading_s = min(now_s, service.loaded_s) - service.started_s
            working_s = max(0.0, now_s - service.loaded_s)
            throttled_s = above_s(service.work_from_c, self._busy_c, working_s)
            self.hot_s += throttled_s + above_s(service.load_from_c, self._load_c, loading_s)
            self.throttled_s += throttled_s
            self.busy_s += working_s
            # Temperature is monotonic within a phase, so its highest is at one of the ends.
            middle_c = service.work_from_c if working_s > 0.0 else here_c
            self.max_c = max(self.max_c, middle_c)
        self.max_c = max(self.max_c, here_c)
        self._since_s, self._from_c = now_s, here_c
        return here_c

    def close(self, now_s: float) -> None:
        """End of the run: account for the time since the last service."""
        self._settle(now_s)

    def report(self, now_s: float) -> None:
        """Take a health report."""
        offset_c = self.conditions.thermometer_offset_c.get(self.name, 0.0)
        self.reports.append(Report(now_s, self.temperature_c(now_s) + offset_c))

    @property
    def joules(self) -> float:
        """Energy beyond idling is in proportion to heat: a load costs 30 % of full work."""
        rise_share = (self._load_c - self._idle_c) / (self._busy_c - self._idle_c)
        return (self.busy_s + rise_share * self.loading_s) * (self.spec.full_w - self.spec.idle_w)

    @property
    def is_hot(self) -> bool:
        """Whether the last report was above where throttling begins."""
        return self.reports[-1].temperature_c > THROTTLE_FROM_C

    # --- what a router sees ---------------------------------------------------------------------

    def view(self, now_s: float, window: int) -> BoardView:
        """This board as the router knows it now."""
        service = self.service
        holding = [Holding(ask, at_s, None, 0) for ask, at_s in self.waiting]
        loading = None
        if service is not None:
            begun = now_s >= service.first_token_s
            first_s = service.first_token_s if begun else None
            running = Holding(service.ask, service.dispatched_s, first_s, service.tokens_at(now_s))
            holding.insert(0, running)
            loading = service.ask.model if now_s < service.loaded_s else None
        alive = self.seen_alive
        return BoardView(
            self.name,
            self.spec,
            alive,
            window,
            max(0, window - len(holding)) if alive else 0,
            tuple(holding),
            tuple(self._resident),
            loading,
            self._seen_reports(now_s),
            self.spec.ram_bytes,
            max(0, self.spec.ram_bytes - used_bytes(self._resident_bytes())),
        )

    def _seen_reports(self, now_s: float) -> tuple[Report, ...]:
        stale_s = self.conditions.health_stale_s
        if stale_s <= 0.0:
            return tuple(self.reports)[-_REPORTS_SEEN:]
        seen = [report for report in self.reports if report.at_s <= now_s - stale_s]
        return tuple(seen[-_REPORTS_SEEN:]) or (self.reports[0],)


def _resident_bytes(spec: ModelSpec) -> int:
    return spec.resident_bytes(DEFAULT_CONTEXT_TOKENS, 1)
