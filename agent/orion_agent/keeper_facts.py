"""What the model keeper decides from (values)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orion_agent import keeper_fit
from orion_agent.keeper_names import canonical
from orion_agent.sharing_plan import Source
from orion_contracts.config import ModelConfig
from orion_contracts.health import DiskModel, ResidentModel

FOREVER_S = 10 * 365 * 86_400
"""Keep-alive of a model that stays as long as it is placed. Not a negative number: these turn into
year-long ones on the way through clients, and -1 means nothing to the schema of requests."""
KEPT_SHARE = 0.5
"""A model whose keep-alive is shorter than this share of what it should be is asked for again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A model that is or was assigned. `digest`: of the copy that the keeper fetched itself."""

    retain: bool = True
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The board now. Names are canonical except in `assigned`; times are monotonic seconds."""

    now_s: float
    wall_s: float
    assigned: tuple[ModelConfig, ...] = ()
    kept: Mapping[str, Kept] = field(default_factory=dict[str, Kept])
    left_s: Mapping[str, float] = field(default_factory=dict[str, float])
    """Since when a kept model is no longer assigned."""
    disk: Mapping[str, DiskModel] = field(default_factory=dict[str, DiskModel])
    resident: Mapping[str, ResidentModel] = field(default_factory=dict[str, ResidentModel])
    measured: Mapping[str, ResidentModel] = field(default_factory=dict[str, ResidentModel])
    """As it was when it was last in memory."""
    loading: bool = False
    busy: frozenset[str] = frozenset()
    """Models of requests in hand."""
    used_s: Mapping[str, float] = field(default_factory=dict[str, float])
    quiet_s: float = 0.0
    """For how long no request has been in hand."""
    slots: int = 1
    seats: int | None = None
    """How many models the engine keeps at once; None: not known."""
    seats_seen: int = 1
    room: keeper_fit.Room = field(default_factory=lambda: keeper_fit.Room(None, None, 85.0))
    full_ram: bool = False
    disk_free_bytes: int | None = None
    disk_reserve_bytes: int = 0
    registries: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])
    """Where missing models come from, if not from the registry."""
    held: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """(lane, name) to why the last try failed; the next one is not due yet."""
    once: frozenset[str] = frozenset()
    """Models with a keep-alive of their own that were loaded once: they may leave by themselves."""

    @property
    def placed(self) -> Mapping[str, ModelConfig]:
        """Assigned models by canonical name."""
        return {canonical(model.name): model for model in self.assigned}

    def need(self, model: ModelConfig) -> keeper_fit.Need:
        """Memory that it takes."""
        name = canonical(model.name)
        size = self.disk[name].size_bytes if name in self.disk else 0
        context, seen = model.context_length, self.measured.get(name)
        same = seen is not None and context in (None, seen.context_length)
        return keeper_fit.need(size, context, self.slots, seen.size_bytes if seen and same else 0)

    def twin(self, name: str) -> ResidentModel | None:
        """It in memory, under its own or another tag of the same file."""
        if name in self.resident:
            return self.resident[name]
        digest = self.disk[name].digest if name in self.disk else ""
        same = (m for m in self.resident.values() if digest and m.digest == digest)
        return next(same, None)

    def shared(self, name: str) -> bool:
        """Whether what is in memory under this name is also another, assigned model's."""
        digest = self.resident[name].digest if name in self.resident else ""
        files = {self.disk[n].digest for n in self.placed if n in self.disk}
        return bool(digest) and digest in files


def keep_alive_s(model: ModelConfig) -> int:
    """How long it stays after its last request."""
    return FOREVER_S if model.keep_alive_seconds is None else model.keep_alive_seconds


def stays(model: ModelConfig, resident: ResidentModel, wall_s: float) -> bool:
    """Whether it is in memory as it should be: its context, and for long enough."""
    wanted, known = model.context_length, resident.context_length
    if wanted and known and wanted != known:
        return False
    return model.keep_alive_seconds is not None or lasts(resident, wall_s)


def lasts(resident: ResidentModel, wall_s: float) -> bool:
    """Whether it is to stay for ever; also where its engine has not said yet."""
    if not resident.expires_at:
        return True
    try:
        left_s = datetime.fromisoformat(resident.expires_at).timestamp() - wall_s
    except ValueError:
        return True
    return left_s > KEPT_SHARE * FOREVER_S
