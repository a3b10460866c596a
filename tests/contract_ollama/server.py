"""The server under test, and reading what it says."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

METRICS = {
    "total_duration": int,
    "load_duration": int,
    "prompt_eval_count": int,
    "prompt_eval_duration": int,
    "eval_count": int,
    "eval_duration": int,
}
HEAD = {"model": str, "created_at": str, "done": bool}


@dataclass(frozen=True)
class Server:
    """Where it listens and what it has on disk."""

    url: str
    model: str

    def chat(self, text: str = "What is the capital of France?", **more: Any) -> dict[str, Any]:
        """A chat body; `options` are completed to a short, repeatable answer."""
        options = {"temperature": 0, "seed": 7, "num_predict": 8} | more.pop("options", {})
        messages = [{"role": "user", "content": text}]
        return {"model": self.model, "messages": messages, "options": options, **more}

    def generate(self, text: str = "Once upon a time", **more: Any) -> dict[str, Any]:
        """The same for generate."""
        body = self.chat(**more)
        del body["messages"]
        return body | {"prompt": text}


def lines(http: httpx.Client, path: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every object of a stream."""
    with http.stream("POST", path, json=body) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) for line in response.iter_lines() if line]


def shape(value: Mapping[str, Any]) -> dict[str, type]:
    """Keys and types."""
    return {key: type(each) for key, each in value.items()}


def parsed(stamp: str) -> datetime:
    """An RFC 3339 time with nanoseconds, which Python's parser refuses."""
    head, _, rest = stamp.partition(".")
    digits = rest.rstrip("Z").split("+")[0].split("-")[0]
    zone = rest[len(digits) :].replace("Z", "+00:00")
    return datetime.fromisoformat(f"{head}.{digits[:6]:0<6}{zone}")


def resident(http: httpx.Client) -> list[dict[str, Any]]:
    """What `/api/ps` lists."""
    found: list[dict[str, Any]] = http.get("/api/ps").raise_for_status().json()["models"]
    return found


def wait_resident(http: httpx.Client, count: int, within_s: float = 20.0) -> list[dict[str, Any]]:
    """Poll until that many models are resident."""
    deadline = time.monotonic() + within_s
    while len(found := resident(http)) != count:
        assert time.monotonic() < deadline, f"{count} resident models wanted, seen {found}"
        time.sleep(0.02)
    return found
