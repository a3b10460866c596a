"""What a run assumes about the world beside its fleet and workload."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from orion_lab import world
from orion_lab.models import ModelSpec


@dataclass(frozen=True, slots=True)
class Conditions:
    """Switches of the world; the defaults are those of the study."""

    ambient_c: float = world.AMBIENT_C
    page_cache: bool = True
    prompts_kept: int = 1
    """Conversations per loaded model whose prefix is kept."""
    prompt_cache_bytes: float = inf
    """Bound on the KV cache of the conversations beside the last one, per loaded model."""
    placed: bool = False
    """Models are resident round robin before the run."""
    pending_in_order: bool = True
    """A board's own queue as Ollama's: what was not loaded when it arrived waits in line for the
    one load at a time, also when its model is loaded by then. Without it, as in the reference
    study, whatever waits for a loaded model goes first: kinder to policies that bind early."""
    health_every_s: float = 5.0
    health_stale_s: float = 0.0
    """A report is seen this much after it was taken."""
    thermometer_offset_c: Mapping[str, float] = field(default_factory=dict[str, float])
    """By board: how much it reports too much (or, negative, too little)."""
    noticed_after_s: float = 4.0
    """A dead board is known to be dead, and its work comes back, after this."""
    sample_every_s: float = 0.0
    """Interval of the time series; 0 takes none."""

    def prompt_room_tokens(self, model: ModelSpec) -> float:
        """Tokens of other conversations that a loaded model may keep."""
        if self.prompt_cache_bytes == inf:
            return inf
        return self.prompt_cache_bytes / max(1, model.kv_bytes(1, 1))
