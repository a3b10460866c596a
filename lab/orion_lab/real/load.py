"""One load generator for all: each request at its moment, over HTTP, its answer read to the end."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from orion_lab.real.prompts import SEED, Prompt

_WORD: Final = re.compile(rb'"content":\s*"[^"]')
_MOST_WAIT_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where the requests go. With a key it is OpenAI's protocol, else Ollama's."""

    name: str
    port: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """One request's end, in real seconds since the first moment of the trace."""

    prompt: Prompt
    due_s: float
    sent_s: float
    first_s: float
    done_s: float
    problem: str = ""


async def ask_all(gateway: Gateway, prompts: Sequence[Prompt], speed: float) -> list[Heard]:
    """Send each at its arrival divided by `speed`; the answers in the same order."""
    began_s = time.monotonic() + 0.2
    return list(await asyncio.gather(*(_ask(gateway, p, began_s, speed) for p in prompts)))


async def _ask(gateway: Gateway, prompt: Prompt, began_s: float, speed: float) -> Heard:
    due_s = prompt.ask.arrived_s / speed
    await asyncio.sleep(max(0.0, began_s + due_s - time.monotonic()))
    sent_s, first_s = time.monotonic() - began_s, 0.0
    answer = bytearray()
    problem = ""
    try:
        async with asyncio.timeout(_MOST_WAIT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            try:
                writer.write(_request(gateway, prompt))
                while data := await reader.read(65536):
                    answer += data
                    if not first_s and _WORD.search(answer):
                        first_s = time.monotonic() - began_s
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        problem = f"{type(error).__name__}: {error}"
    done_s = time.monotonic() - began_s
    said = _text(bytes(answer))
    if not problem and said != prompt.reply:
        problem = f"another answer: {bytes(answer[:300])!r}"
    return Heard(prompt, due_s, sent_s, first_s or done_s, done_s, problem)


def _request(gateway: Gateway, prompt: Prompt) -> bytes:
    body: dict[str, Any] = {
        "model": prompt.ask.model,
        "messages": [{"role": each.role, "content": each.content} for each in prompt.messages],
        "stream": True,
        "options": {"seed": SEED},
    }
    path, extra = "/api/chat", f"X-Orion-Priority: {prompt.ask.priority}\r\n"
    if gateway.key:
        del body["options"]
        body["seed"] = SEED
        path, extra = "/v1/chat/completions", f"Authorization: Bearer {gateway.key}\r\n"
    raw = orjson.dumps(body)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{extra}"
        f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
    )
    return head.encode() + raw


def _text(answer: bytes) -> str:
    """All words of a streamed answer, of either protocol; empty if it was none."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        return ""
    if b"transfer-encoding: chunked" in head.lower():
        body = _unchunked(body)
    words: list[str] = []
    for line in body.split(b"\n"):
        line = line.removeprefix(b"data:").strip()
        if not line.startswith(b"{"):
            continue
        try:
            piece: dict[str, Any] = orjson.loads(line)
        except ValueError:
            return ""
        choices: list[dict[str, Any]] = piece.get("choices") or [{}]
        said: dict[str, Any] = piece.get("message") or choices[0].get("delta") or {}
        words.append(said.get("content") or "")
    return "".join(words)


def _unchunked(body: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while (end := body.find(b"\r\n", at)) >= 0:
        size = int(body[at:end].split(b";")[0] or b"0", 16)
        if size == 0:
            break
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return b"".join(parts)
