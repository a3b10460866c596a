"""A simulated board: resident models, page cache, heat, the request it serves and its own queue."""

from collections import deque

from orion_lab import rates
from orion_lab.boards import BoardSpec
from orion_lab.models import model
from orion_lab.sim.asks import Ask
from orion_lab.sim.conditions import Conditions
from orion_lab.sim.heat import above_s, after_c, work_takes_s
from orion_lab.sim.residents import Residents
from orion_lab.sim.service import Service
from orion_lab.sim.views import BoardView, Holding, Report
from orion_lab.thermal import steady_c

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
        self.residents = Residents(spec, conditions)
        self.service: Service | None = None
        self.waiting: list[tuple[Ask, float]] = []  # with the time of dispatch
        self.handed: set[str] = set()
        """Of these, by request id, those that a loaded model has; see `pending_in_order`."""
        self.up = self.seen_alive = True
        self.reports: deque[Report] = deque(maxlen=64)
        self.busy_s = self.loading_s = self.hot_s = self.throttled_s = 0.0
        self.max_c = self._idle_c
        self.loads = self.disk_loads = 0
        self.prefilled_s = self.saved_s = 0.0

    @property
    def resident(self) -> tuple[str, ...]:
        """Loaded models, least recently used first."""
        return self.residents.names

    # --- serving --------------------------------------------------------------------------------

    def start(self, ask: Ask, dispatched_s: float, now_s: float) -> Service:
        """Begin to serve; the board must be idle and up."""
        service = Service(ask, dispatched_s, now_s)
        spec = model(ask.model)
        here_c = self._settle(now_s)
        load = self.residents.use(spec)
        if load.seconds > 0.0:
            self.loads += 1
            self.disk_loads += load.from_disk
            self.loading_s += load.seconds
        service.disk, service.loaded_s = load.from_disk, now_s + load.seconds
        service.load_from_c = here_c
        service.work_from_c = work_c = after_c(here_c, self._load_c, service.load_s)
        prompts = self.residents.prompts(ask.model)
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

    def hand_over(self, now_s: float) -> None:
        """Give waiting requests to loaded models, as far as Ollama does it."""
        service = self.service
        loading = service.ask.model if service and now_s < service.loaded_s else None
        loaded = [name for name in self.resident if name != loading]
        latest = self.waiting[-1][0] if self.waiting else None
        if latest is not None and latest.arrived_s == now_s and latest.model in loaded:
            self.handed.add(latest.request_id)
        if loading is not None:
            return
        for ask, _ in self.waiting:
            if ask.request_id in self.handed:
                continue
            if ask.model not in loaded:
                break
            self.handed.add(ask.request_id)

    def finish(self, now_s: float) -> None:
        """The request is done, or lost: account for it, and cool down."""
        service = self.service
        assert service is not None
        if now_s >= service.done_s:
            self.residents.prompts(service.ask.model).add(service.ask.whole)
        self._settle(now_s)
        self.service = None

    def die(self, now_s: float) -> list[Ask]:
        """Lose power: what was resident or cached is gone. The requests it had, in order."""
        lost = [self.service.ask] if self.service else []
        lost += [ask for ask, _ in self.waiting]
        if self.service:
            self.finish(now_s)
        self.waiting.clear()
        self.handed.clear()
        self.residents.clear()
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
        """Energy beyond idling."""
        return self.spec.power.active_j(self.loading_s, self.busy_s)

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
            self.residents.names,
            loading,
            self._seen_reports(now_s),
            self.spec.ram_bytes,
            self.residents.available_bytes,
        )

    def _seen_reports(self, now_s: float) -> tuple[Report, ...]:
        stale_s = self.conditions.health_stale_s
        if stale_s <= 0.0:
            return tuple(self.reports)[-_REPORTS_SEEN:]
        seen = [report for report in self.reports if report.at_s <= now_s - stale_s]
        return tuple(seen[-_REPORTS_SEEN:]) or (self.reports[0],)
