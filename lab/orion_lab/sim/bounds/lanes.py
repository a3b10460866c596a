"""One board's part of an offline schedule: when each of its requests starts and ends.

Follows the simulator exactly (loads, page cache, one prompt per model, heat), from immutable
states, so that a change in the middle of a lane repeats only what comes after it.
"""

from typing import NamedTuple

from orion_lab import rates
from orion_lab.boards import BoardSpec
from orion_lab.memory import PageCache, cache_room_bytes, fits
from orion_lab.models import ModelSpec, model
from orion_lab.sim.asks import Ask
from orion_lab.sim.heat import after_c, work_takes_s
from orion_lab.thermal import steady_c
from orion_lab.world import DEFAULT_CONTEXT_TOKENS

End = tuple[int, int]  # the boundary behind an answer
Resident = tuple[tuple[str, End | None], ...]  # least recently used first, with the kept prompt


class State(NamedTuple):
    """A board between two requests."""

    free_s: float
    here_c: float
    resident: Resident
    cache: PageCache


class Times(NamedTuple):
    """Of one request."""

    started_s: float
    first_token_s: float
    done_s: float


class Lane:
    """The physics of one board, cold at the start, without health gates."""

    def __init__(self, spec: BoardSpec, ambient_c: float) -> None:
        self._spec = spec
        self._idle_c = steady_c(spec, ambient_c, 0.0)
        self._load_c = steady_c(spec, ambient_c, 0.0, 1.0)
        self._busy_c = steady_c(spec, ambient_c, 1.0)
        self._known: dict[tuple[str, Resident, PageCache], tuple[float, Resident, PageCache]] = {}
        self.begin = State(0.0, self._idle_c, (), PageCache())

    def serve(self, state: State, ask: Ask) -> tuple[State, Times]:
        """The next request of this lane."""
        spec = model(ask.model)
        started_s = max(state.free_s, ask.arrived_s)
        here_c = after_c(state.here_c, self._idle_c, started_s - state.free_s)
        kept = next((end for name, end in state.resident if name == ask.model), None)
        names = [name for name, _ in state.resident]
        load_s, resident, cache = 0.0, state.resident, state.cache
        if ask.model not in names:
            load_s, resident, cache = self._load(spec, state)
        cached = kept[1] if kept is not None and kept in ask.prompt_prefix else 0
        per_token_s = rates.prefill_s_per_token(self._spec, spec.size_bytes)
        prefill_s = (ask.input_tokens - cached) * per_token_s
        decode_s = ask.output_tokens * rates.decode_s_per_token(self._spec, spec.size_bytes)
        warm_c = after_c(here_c, self._load_c, load_s)
        first_s = started_s + load_s + work_takes_s(prefill_s, warm_c, self._busy_c)
        done_s = started_s + load_s + work_takes_s(prefill_s + decode_s, warm_c, self._busy_c)
        end_c = after_c(warm_c, self._busy_c, done_s - started_s - load_s)
        others = tuple(entry for entry in resident if entry[0] != ask.model)
        now = (*others, (ask.model, ask.whole[-1]))
        return State(done_s, end_c, now, cache), Times(started_s, first_s, done_s)

    def _load(self, spec: ModelSpec, state: State) -> tuple[float, Resident, PageCache]:
        key = (spec.name, state.resident, state.cache)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._load_anew(spec, state)
        return found

    def _load_anew(self, spec: ModelSpec, state: State) -> tuple[float, Resident, PageCache]:
        resident = list(state.resident)
        needed = _bytes(spec.name)
        while resident and (
            len(resident) >= self._spec.max_loaded
            or not fits(self._spec, sum(_bytes(name) for name, _ in resident) + needed)
        ):
            del resident[0]
        warm = state.cache.holds(spec.digest)
        load_s = rates.load_s(self._spec, spec.size_bytes, page_cached=warm)
        used = sum(_bytes(name) for name, _ in resident) + needed
        room = cache_room_bytes(self._spec, used)
        cache = state.cache.after_read(spec.digest, spec.size_bytes, room)
        return load_s, (*resident, (spec.name, None)), cache


def _bytes(name: str) -> int:
    return model(name).resident_bytes(DEFAULT_CONTEXT_TOKENS, 1)
