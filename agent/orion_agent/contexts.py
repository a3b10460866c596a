"""Which context a model gets that was loaded with `num_ctx`, and what was a load at all (pure).

Ollama cuts `num_ctx` to what the model was trained for, raises one that is too small, and tells the
result only in its list of resident models. Whoever compares what was asked for with what is listed
sees a difference for ever, and takes the answer to "load this" of a model in memory for a load.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from orion_contracts.health import ResidentModel
from orion_contracts.messages import InferenceRequest

MOST_KEPT: Final = 256


class Load(NamedTuple):
    """One that ended well. `before`: the context in which the model was in memory; 0: it was not,
    None: that is not known."""

    asked: int | None
    before: int | None
    took_s: float


class Contexts:
    """Mutable; one per view. `learn` gets each load that was one, with its seconds."""

    def __init__(self) -> None:
        self.loads = 0
        """How many have ended."""
        self.learn: Callable[[str, float], None] = lambda model, took_s: None
        self._ended: dict[str, tuple[int, Load]] = {}
        self._became: dict[tuple[str, int], int] = {}
        self._trained: dict[str, int] = {}

    def loaded(self, name: str, load: Load) -> None:
        """The engine says that it has loaded the model."""
        self.loads += 1
        self._ended[name] = (self.loads, load)

    def saw(self, loads: int, held: Callable[[str], ResidentModel | None]) -> None:
        """What is resident was asked for when `loads` loads had ended; `held` finds a model."""
        for name, (number, load) in list(self._ended.items()):
            if number > loads:
                continue
            del self._ended[name]
            if (model := held(name)) is None:  # gone already
                continue
            context = model.context_length
            if context and load.asked is not None:
                _keep(self._became, (name, load.asked), context)
                if load.asked > context:
                    _keep(self._trained, name, context)
            if load.before is not None and (not load.before or load.before != context):
                self.learn(name, load.took_s)

    def expected(self, name: str, asked: int) -> int:
        """The context that a load with this `num_ctx` gives."""
        if (became := self._became.get((name, asked))) is not None:
            return became
        trained = self._trained.get(name)
        return asked if trained is None else min(asked, trained)


def asked_context(request: InferenceRequest) -> int | None:
    """The request's `num_ctx`, where it has one."""
    asked: Any = (request.options or {}).get("num_ctx")
    return asked if isinstance(asked, int) and not isinstance(asked, bool) and asked else None


def _keep(known: dict[Any, int], key: Any, value: int) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > MOST_KEPT:
        del known[next(iter(known))]
