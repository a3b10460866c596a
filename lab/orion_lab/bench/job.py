"""What a load generator is told, and what it says (values that travel as JSON)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

TOKENS = 16
PROMPT = "Name a river, a mountain and a town, and say where they are."


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An HTTP endpoint that streams TOKENS tokens; several ports are used in turn."""

    name: str
    ports: Sequence[int]
    path: str
    body: str
    whole: str
    piece: str
    pieces: int = TOKENS
    headers: dict[str, str] = field(default_factory=dict[str, str])


def ollama(name: str, ports: Sequence[int], model: str) -> Target:
    """A target that speaks Ollama's protocol."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": PROMPT}],
        "stream": True,
        "options": {"num_predict": TOKENS},
    }
    return Target(
        name=name,
        ports=ports,
        path="/api/chat",
        body=orjson.dumps(body).decode(),
        whole='"done":true',
        piece='"content":',
        pieces=TOKENS + 1,
    )


def openai(name: str, ports: Sequence[int], model: str, key: str) -> Target:
    """A target that speaks OpenAI's protocol."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": PROMPT}],
        "stream": True,
        "max_tokens": TOKENS,
    }
    return Target(
        name=name,
        ports=ports,
        path="/v1/chat/completions",
        body=orjson.dumps(body).decode(),
        whole="[DONE]",
        piece='"content":',
        headers={"Authorization": f"Bearer {key}"},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One kind of load. `rate_per_s`: open loop, evenly spaced; else `concurrency` at a time."""

    target: Target
    rate_per_s: float = 0.0
    concurrency: int = 1
    requests: int = 0
    """Stop after so many; 0: only after the job's seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Lanes that run in the same seconds. `pids`: whose CPU time is taken at begin and end."""

    lanes: Sequence[Lane]
    seconds: float
    pids: dict[str, int] = field(default_factory=dict[str, int])

    def to_json(self) -> bytes:
        """As JSON."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, raw: bytes) -> Job:
        """The inverse of to_json."""
        wire: dict[str, Any] = orjson.loads(raw)
        lanes: list[Lane] = []
        for each in wire["lanes"]:
            each["target"] = Target(**each["target"])
            lanes.append(Lane(**each))
        return cls(lanes=lanes, seconds=wire["seconds"], pids=wire["pids"])


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneResult:
    """What one lane saw; times in ms."""

    name: str
    first_ms: Sequence[float]
    whole_ms: Sequence[float]
    late_ms: Sequence[float]
    """How late the generator itself was (open loop)."""
    seconds: float
    problems: Sequence[str]

    @property
    def per_s(self) -> float:
        """Whole answers per second."""
        return len(self.first_ms) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """All lanes, and the CPU time that each process took in ms."""

    lanes: dict[str, LaneResult]
    cpu_ms: dict[str, float]
    seconds: float

    def to_json(self) -> bytes:
        """As JSON."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, raw: bytes) -> JobResult:
        """The inverse of to_json."""
        wire: dict[str, Any] = orjson.loads(raw)
        lanes = {name: LaneResult(**each) for name, each in wire["lanes"].items()}
        return cls(lanes=lanes, cpu_ms=wire["cpu_ms"], seconds=wire["seconds"])

    def cpu_per_request_ms(self, process: str) -> float:
        """CPU time of a process divided by all whole answers of this job."""
        answers = sum(len(lane.first_ms) for lane in self.lanes.values())
        return self.cpu_ms[process] / answers if answers else float("nan")
