"""Clients of a trial: what they ask, how they insist, and what they write down (asyncio)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Literal, cast
from uuid import UUID

import httpx
import orjson
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from orion_contracts import keys
from orion_contracts.stamp import iso_now
from orion_lab.entries import Asked, Heard

Channel = Literal["own callback", "default callback", "http"]
CHANNELS: Final[Sequence[Channel]] = ("own callback", "default callback", "http")
_SHARES: Final = (40, 20, 40)
_INSIST_S: Final = 60.0
_PAUSE_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Question:
    """One request to be made. `twice`: a client that is unsure sends it again with the same id."""

    request_id: str
    channel: Channel
    streamed: bool
    reply: str
    tokens: int
    twice: bool = False
    model: str = "smollm2:135m"

    @property
    def prompt(self) -> str:
        """A prompt of its own, so that no two answers are equal."""
        return f"Question {self.request_id}"


def questions(seed: int, count: int, model: str, tokens: int) -> list[Question]:
    """A mixed load, drawn from the seed."""
    random = Random(seed)
    made: list[Question] = []
    for _ in range(count):
        request_id = str(UUID(int=random.getrandbits(128), version=4))
        channel = random.choices(CHANNELS, _SHARES)[0]
        own = f"robot:answers:{random.randrange(4)}"
        reply = own if channel == "own callback" else keys.responses(request_id)
        streamed, twice = random.random() < 0.5, random.random() < 0.03
        made.append(Question(request_id, channel, streamed, reply, tokens, twice, model))
    return made


@dataclass(slots=True)
class Notes:
    """What the clients wrote down."""

    asked: dict[str, Asked] = field(default_factory=dict[str, Asked])
    heard: list[Heard] = field(default_factory=list[Heard])
    counts: Counter[str] = field(default_factory=Counter[str])

    def asks(self, question: Question, acknowledged: bool) -> None:
        """Write down an attempt; once acknowledged it stays so."""
        before = self.asked.get(question.request_id)
        known = acknowledged or (before is not None and before.acknowledged)
        self.asked[question.request_id] = Asked(
            question.request_id, question.reply, known, question.streamed, question.channel
        )


class Asker:
    """Asks over the intake stream or over HTTP, and repeats what went unanswered."""

    def __init__(self, store_url: str, urls: Sequence[str], notes: Notes) -> None:
        self._store = Redis.from_url(store_url, retry=Retry(NoBackoff(), 0), socket_timeout=5.0)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        timeout = httpx.Timeout(30.0, connect=2.0)
        self._http = httpx.AsyncClient(trust_env=False, timeout=timeout, limits=limits)
        self._urls = urls
        self.notes = notes

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()
        await self._store.aclose()

    async def ask(self, question: Question) -> None:
        """Make the request; for HTTP, until its answer is there."""
        self.notes.asks(question, False)
        self.notes.counts[question.channel] += 1
        if question.channel == "http":
            await self._over_http(question)
        else:
            await self._over_intake(question)

    async def _over_intake(self, question: Question) -> None:
        payload = orjson.dumps(wire(question))
        times = 2 if question.twice else 1
        deadline = asyncio.get_running_loop().time() + _INSIST_S
        while times and asyncio.get_running_loop().time() < deadline:
            try:
                await self._store.xadd(keys.REQUESTS, {"payload": payload})
            except (RedisError, OSError):
                self.notes.counts["unanswered XADD"] += 1
                if int(question.request_id[:2], 16) < 25:
                    return  # one client in ten gives up: its request may be in, or not
                await asyncio.sleep(_PAUSE_S)
                continue
            self.notes.asks(question, True)
            times -= 1

    async def _over_http(self, question: Question) -> None:
        loop = asyncio.get_running_loop()
        deadline, turn = loop.time() + _INSIST_S, int(question.request_id[:4], 16)
        while loop.time() < deadline:
            url = self._urls[turn % len(self._urls)]
            try:
                if await self._post(url, question):
                    return
            except (httpx.HTTPError, ValueError) as error:
                self.notes.counts["broken HTTP connections"] += 1
                self.notes.counts[f"  {type(error).__name__}"] += 1
            turn += 1
            await asyncio.sleep(_PAUSE_S)
        self.notes.counts["HTTP clients without an answer"] += 1

    async def _post(self, url: str, question: Question) -> bool:
        headers = {
            "x-orion-request-id": question.request_id,
            "idempotency-key": question.request_id,
        }
        body = chat(question)
        async with self._http.stream(
            "POST", f"{url}/api/chat", json=body, headers=headers
        ) as reply:
            if reply.status_code >= 500:
                said = (await reply.aread()).decode(errors="replace")
                self.notes.counts[f"HTTP {reply.status_code} {said[:80]}"] += 1
                return False
            self.notes.asks(question, reply.status_code == 200)
            if reply.status_code != 200:
                said = (await reply.aread()).decode(errors="replace")
                self.notes.counts[f"HTTP {reply.status_code} {said[:80]}"] += 1
                return True
            text, done = "", False
            async for line in reply.aiter_lines():
                piece = cast(dict[str, Any], orjson.loads(line))
                if "error" in piece:
                    self.notes.counts[f"ended in an error: {str(piece['error'])[:80]}"] += 1
                    return False
                text += str(piece.get("message", {}).get("content", ""))
                done = bool(piece.get("done"))
            if not done:
                raise httpx.RemoteProtocolError("ended without done")
            self.notes.heard.append(Heard(question.request_id, text))
            return True


def wire(question: Question) -> dict[str, Any]:
    """The request as another module of ORION writes it."""
    document: dict[str, Any] = {
        "version": "1.0",
        "request_id": question.request_id,
        "model": question.model,
        "messages": [{"role": "user", "content": question.prompt}],
        "timestamp": iso_now(),
        "source": "orion-lab",
        "options": {"num_predict": question.tokens},
    }
    if question.streamed:
        document["stream"] = True
    if question.channel == "own callback":
        document["callback"] = question.reply
    return document


def chat(question: Question) -> dict[str, Any]:
    """The request as a client of Ollama writes it."""
    return {
        "model": question.model,
        "messages": [{"role": "user", "content": question.prompt}],
        "stream": question.streamed,
        "options": {"num_predict": question.tokens},
    }
