"""Gathers the facts that the keeper decides from."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from orion_agent.keeper_facts import Facts, Kept, lasts
from orion_agent.keeper_fit import Room
from orion_agent.keeper_names import canonical
from orion_agent.keeper_seats import Seats
from orion_agent.keeper_tries import Tries
from orion_agent.parts import Parts
from orion_agent.sharing_plan import Source
from orion_contracts.config import ModelConfig
from orion_contracts.health import ResidentModel


class Sight:
    """What is seen of the board, with what can only be seen over time."""

    def __init__(self, parts: Parts, tries: Tries, clock: Callable[[], float]) -> None:
        self._p, self._tries, self._clock = parts, tries, clock
        self.reserve_bytes = parts.settings.disk_reserve_mib * 1024 * 1024
        self.seats = Seats(parts.settings.max_loaded_models)
        self._left_s: dict[str, float] = {}
        self._measured: dict[str, ResidentModel] = {}

    @property
    def blocked(self) -> bool:
        """Whether the board is in no state for anything but requests."""
        p = self._p
        hot = set(p.reporter.gates.reasons) - {"ram"}
        return bool(not p.view.reachable or p.view.wedged or p.reporter.draining or hot)

    @property
    def assigned(self) -> tuple[ModelConfig, ...]:
        """The models that are placed here."""
        node = self._p.who.node
        return tuple(m for m in self._p.reporter.config.models if node in m.nodes)

    @property
    def resident(self) -> Mapping[str, ResidentModel]:
        """What is in memory."""
        return {canonical(m.name): m for m in self._p.view.resident}

    @property
    def lasting(self) -> frozenset[str]:
        """What is in memory to stay there for ever."""
        now_s = time.time()
        return frozenset(n for n, m in self.resident.items() if m.expires_at and lasts(m, now_s))

    def look(
        self,
        kept: Mapping[str, Kept],
        once: Collection[str],
        sources: Mapping[str, Source] | None = None,
    ) -> Facts:
        """The facts now."""
        p, now = self._p, self._clock()
        sample, limits = p.reporter.sample, p.reporter.config.thresholds
        assigned, resident = self.assigned, self.resident
        names = {canonical(m.name) for m in assigned}
        self._left_s = {n: self._left_s.get(n, now) for n in kept if n not in names}
        self._measured |= {n: m for n, m in resident.items() if m.size_bytes and m.context_length}
        self.seats.see(resident)
        return Facts(
            now_s=now,
            wall_s=time.time(),
            assigned=assigned,
            kept=kept,
            left_s=self._left_s,
            disk={canonical(m.name): m for m in p.view.models},
            resident=resident,
            measured=self._measured,
            loading=bool(p.view.loading),
            busy=p.usage.busy,
            used_s=p.usage.used_s,
            quiet_s=p.usage.quiet_s,
            slots=p.slots.capacity,
            seats=self.seats.most,
            seats_seen=self.seats.seen,
            room=Room(
                sample.memory_available_bytes, sample.memory_total_bytes, limits.ram_return_percent
            ),
            full_ram=p.reporter.gates.full_ram,
            disk_free_bytes=sample.disk_free_bytes,
            disk_reserve_bytes=self.reserve_bytes,
            registries=p.settings.model_registries,
            sources=sources or {},
            held=self._tries.held,
            once=frozenset(once),
        )
