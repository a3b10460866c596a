"""Two servers that should not be told apart: an Ollama, and the gateway in front of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from orion_lab.stores import free_port

MODEL = "smollm2:135m"


@dataclass(frozen=True)
class Sides:
    """The two addresses."""

    direct: str
    gateway: str
    real: bool


@contextmanager
def real_ollama(directory: Path) -> Generator[str]:
    """A real Ollama with MODEL: `ORION_OLLAMA serve PORT` or `ORION_OLLAMA_BIN serve`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    if program := os.environ.get("ORION_OLLAMA"):
        command, extra = [program, "serve", str(port)], {}
    else:
        command = [os.environ["ORION_OLLAMA_BIN"], "serve"]
        extra = {"OLLAMA_HOST": f"127.0.0.1:{port}"}
    log = directory / "ollama.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env={**os.environ, **extra}, stdout=out, stderr=out, start_new_session=True
        )
    try:
        _wait_for(url, process, log)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)  # it ends its runners itself
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/api/tags", trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise TimeoutError(f"Ollama did not start:\n{log.read_text(errors='replace')[-2000:]}")


@dataclass(frozen=True)
class Impression:
    """What a client can see of an answer, times and ids reduced to their kind."""

    status: int
    media_type: str
    parts: tuple[Any, ...]
    ended: str = ""


def impression(url: str, method: str, path: str, body: Any) -> Impression:
    """Make the call and look."""
    content = body if isinstance(body, bytes) else None if body is None else orjson.dumps(body)
    with httpx.Client(trust_env=False, timeout=300) as client:
        answer = client.request(method, url + path, content=content)
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    return Impression(answer.status_code, media_type, *_parts(media_type, answer.content))


def _parts(media_type: str, body: bytes) -> tuple[tuple[Any, ...], str]:
    if media_type == "text/event-stream":
        data = [e[6:] for e in body.split(b"\n\n") if e.startswith(b"data: ")]
        return tuple(plain(orjson.loads(d)) for d in data if d != b"[DONE]"), data[-1].decode()
    if media_type in ("application/x-ndjson", "application/json"):
        return tuple(plain(orjson.loads(line)) for line in body.splitlines()), ""
    return (body.decode(),), ""


_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def plain(value: Any, name: str = "") -> Any:
    """The value with what differs from call to call replaced by its kind."""
    if isinstance(value, dict):
        pairs: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return {key: plain(each, key) for key, each in pairs.items()}
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return [plain(each, name) for each in items]
    if name.endswith("_duration") or name == "created":
        return f"<{type(value).__name__}>"
    if name in ("created_at", "expires_at"):
        return "<time>" if _STAMP.fullmatch(str(value)) else value
    if name == "id" and str(value).startswith(("chatcmpl-", "cmpl-")):
        return str(value).partition("-")[0]
    return round(value, 4) if isinstance(value, float) else value
