"""What the worker last saw of its engine; shared by reporter, loader and runners."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from orion_agent.contexts import Contexts, Load, asked_context
from orion_agent.engine import Census
from orion_contracts.errors import EngineError
from orion_contracts.health import DiskModel, Engine, ResidentModel
from orion_contracts.messages import InferenceRequest


def normal(model: str) -> str:
    """A model name with its tag: no tag means `latest`."""
    return model if ":" in model else f"{model}:latest"


class EngineView:
    """Mutable: written by whoever learns something, read by all. One event loop, no locks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.version = ""
        self.resident: tuple[ResidentModel, ...] = ()
        self.models: tuple[DiskModel, ...] = ()
        self.loading: set[str] = set()
        self.contexts = Contexts()
        self.wedged = False
        self.seen = False
        self._error = "not asked yet"
        self._refusing = ""
        self.answered_s = clock()
        """When the engine last answered anything (monotonic)."""

    def saw(self, loads: int, census: Census) -> None:
        """The engine answered. `loads`: `contexts.loads` from before it was asked; what it says
        about a load that ended since is older than that."""
        self.version = census.version
        self.resident = census.resident
        if census.models is not None:
            self.models = census.models
        self.contexts.saw(loads, self.held)
        self._error = ""
        self.seen = True
        self.answered_s = self._clock()

    def missed(self, error: EngineError) -> None:
        """The engine did not answer: nothing is known to be resident."""
        self._error = str(error)[:200] or type(error).__name__
        self.resident = ()

    def refuses(self, why: str) -> None:
        """It answers but takes no work; the empty string: it does again."""
        self._refusing = why[:200]

    @property
    def reachable(self) -> bool:
        """Whether work may be sent there."""
        return not self._error and not self._refusing

    def is_resident(self, request: InferenceRequest) -> bool:
        """Whether the model is in memory, loaded as this request wants it."""
        model = self.held(request.model)
        if model is None:
            return False
        asked, known = asked_context(request), model.context_length
        if asked is None or not known:
            return True
        return known == self.contexts.expected(normal(request.model), asked)

    def held(self, model: str) -> ResidentModel | None:
        """What is in memory of it, in whatever context."""
        name = normal(model)
        digest = next((m.digest for m in self.models if normal(m.name) == name), "")
        for each in self.resident:
            # Two tags of one model share what is in memory, under the name that loaded it.
            same = normal(each.name) == name or (digest and each.digest == digest)
            if same and not _expired(each):
                return each
        return None

    def loaded(self, request: InferenceRequest, load: Load) -> None:
        """A load has just finished; the next census tells in which context: Ollama cuts it to
        what the model was trained for."""
        name = normal(request.model)
        others = tuple(m for m in self.resident if normal(m.name) != name)
        self.resident = (*others, ResidentModel(name=name))
        self.contexts.loaded(name, load)

    def size_bytes(self, model: str) -> int:
        """The model's size on disk; 0 when not known."""
        name = normal(model)
        return next((m.size_bytes for m in self.models if normal(m.name) == name), 0)

    def to_health(self) -> Engine:
        """The engine's part of the health report."""
        return Engine(
            reachable=self.reachable,
            version=self.version,
            error=self._error or self._refusing,
            wedged=self.wedged,
        )


def _expired(model: ResidentModel) -> bool:
    """Whether its keep-alive has passed since the last census. During a long answer `expires_at`
    lies in the past too, but then nobody asks."""
    if not model.expires_at:
        return False
    try:
        return datetime.fromisoformat(model.expires_at) < datetime.now(UTC)
    except (ValueError, TypeError):
        return False
