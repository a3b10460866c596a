"""Seeded nonsense: valid documents and entries, changed in many ways, and pure noise (pure)."""

from __future__ import annotations

import copy
import json
import random
import uuid
from collections.abc import Mapping
from typing import Any, cast

MODEL = "smollm2:135m"
Fields = dict[bytes, bytes]

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1,
    10**40, "", " ", "\0", "\n", "0", "600", "null", "x" * 5000, "\u202e", "\U0001f916", "{{.}}",
    "../../etc/passwd", "'; DROP TABLE", "orion:inference:queue", "\ud800", [], {}, [[]], [{}],
    [None], {"": ""}, {"a": {"b": {"c": []}}}, [1, "a", None, {}], "9" * 400, "json", "high",
)  # fmt: skip
FIELD_NAMES = (
    "version", "request_id", "model", "messages", "timestamp", "source", "callback", "stream",
    "options", "keep_alive", "keep_alive_seconds", "tools", "format", "think", "prompt", "input",
    "suffix", "system", "template", "context", "raw", "images", "priority", "deadline_ms",
    "session", "operation", "generate", "temperature", "max_tokens", "stop", "n", "logprobs",
    "stream_options", "response_format", "seed", "top_p", "tool_choice", "encoding_format",
    "dimensions", "top_logprobs", "name", "unknown", "", "\0",
)  # fmt: skip
ENDPOINTS = (
    "/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/api/show",
    "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/requests",
)  # fmt: skip


class Mutator:
    """Everything comes from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def request_id(self) -> str:
        """A UUID of the seed's."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def base(self) -> dict[str, Any]:
        """A valid request of a producer, answered with one token."""
        request_id = self.request_id()
        return {
            "version": "1.0",
            "request_id": request_id,
            "model": MODEL,
            "messages": [{"role": "user", "content": "hello"}],
            "keep_alive_seconds": 600,
            "callback": f"fuzz:answers:{self._random.randrange(50)}",
            "timestamp": "2026-01-31T12:00:00Z",
            "source": "fuzz",
            "stream": self._random.random() < 0.5,
            "deadline_ms": 1000,
            "options": {"num_predict": 1, "temperature": 0.5, "stop": ["\n"]},
        }

    def body(self, path: str) -> dict[str, Any]:
        """A valid body for an HTTP endpoint."""
        if path == "/v1/requests":
            return self.base()
        options = {"num_predict": 1, "temperature": 0.5}
        document: dict[str, Any] = {"model": MODEL, "stream": self._random.random() < 0.5}
        match path:
            case "/api/chat":
                document |= {"messages": [{"role": "user", "content": "hi"}], "options": options}
                document["tools"] = [{"type": "function", "function": {"name": "f"}}]
            case "/api/generate":
                document |= {"prompt": "hi", "options": options, "format": "json"}
            case "/v1/chat/completions":
                document |= {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
                document["stream_options"] = {"include_usage": True}
            case "/v1/completions":
                document |= {"prompt": "hi", "max_tokens": 1}
            case "/api/show":
                return {"model": MODEL, "verbose": False}
            case _:
                document |= {"input": ["hi"], "prompt": "hi"}
        return document

    def mutant(self, document: Mapping[str, Any]) -> bytes:
        """The document as bytes, wrong in one to four ways; now and then noise instead."""
        pick = self._random.random()
        if pick < 0.05:
            return self._random.randbytes(self._random.randrange(200))
        changed: Any = copy.deepcopy(document)
        for _ in range(self._random.randrange(1, 4)):
            changed = self._restructured(changed)
        raw = json.dumps(changed, ensure_ascii=self._random.random() < 0.5)
        encoded = raw.encode("utf-8", "surrogatepass")
        if pick < 0.5:
            for _ in range(self._random.randrange(1, 4)):
                encoded = self._bent(encoded)
        return encoded

    def entry(self) -> Fields:
        """The fields of a stream entry: mostly a mutant in `payload`, sometimes stranger."""
        payload = self.mutant(self.base())
        match self._random.randrange(20):
            case 0:
                return {b"data": payload}
            case 1:
                return {self._random.randbytes(5) or b"x": payload}
            case 2:
                return {b"payload": payload, b"data": self.mutant(self.base()), b"id": b"x"}
            case 3:
                return {b"id": self._word(), b"token": self._word()}
            case 4:
                return {b"type": b"cancel", b"request_id": self._word()}
            case 5:
                return {b"type": self._word(), b"payload": payload}
            case _:
                return {b"payload": payload}

    def headers(self) -> dict[str, str]:
        """Headers of ours: a short deadline, and sometimes nonsense."""
        headers = {"x-orion-deadline-ms": "1000"}
        names = ("x-orion-request-id", "idempotency-key", "x-orion-priority", "x-orion-session",
                 "x-orion-deadline-ms", "authorization", "content-type", "accept")  # fmt: skip
        if self._random.random() < 0.2:
            name = self._random.choice(names)
            words = ("", "0", "batch", "x" * 500, "\xe4\xff", self.request_id(), "-1", "9" * 30)
            headers[name] = self._random.choice(words)
        return headers

    def path(self) -> str:
        """One of the endpoints."""
        return self._random.choice(ENDPOINTS)

    def _word(self) -> bytes:
        words = (b"", b"\0", b"\xff\xfe", b"x" * 300, self.request_id().encode(), b"1:a:b", b"*")
        return self._random.choice(words)

    def _restructured(self, document: Any) -> Any:
        """One value replaced, removed, added or wrapped, anywhere in the document."""
        holder, key = self._somewhere(document)
        if holder is None:
            return self._nasty()
        match self._random.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[self._random.choice(FIELD_NAMES)] = self._nasty()
            case 2:
                holder[key] = [holder[key]]
            case _:
                holder[key] = self._nasty()
        return document

    def _nasty(self) -> Any:
        """A copy: what is put into a document may be changed there."""
        return copy.deepcopy(self._random.choice(NASTY))

    def _somewhere(self, document: Any) -> tuple[Any, Any]:
        """A container within the document and one of its keys."""
        places: list[tuple[Any, Any]] = []
        todo: list[Any] = [document]
        while todo:
            holder = todo.pop()
            if isinstance(holder, dict):
                named = cast(dict[object, object], holder)
                places += [(named, key) for key in named]
                todo += named.values()
            elif isinstance(holder, list):
                listed = cast(list[object], holder)
                places += [(listed, index) for index in range(len(listed))]
                todo += listed
        return self._random.choice(places) if places else (None, None)

    def _bent(self, raw: bytes) -> bytes:
        """One change to the bytes."""
        if not raw:
            return self._random.randbytes(3)
        at = self._random.randrange(len(raw))
        upto = min(len(raw), at + self._random.randrange(1, 20))
        match self._random.randrange(5):
            case 0:
                return raw[:at] + self._random.randbytes(1) + raw[at + 1 :]
            case 1:
                return raw[:at] + raw[upto:]
            case 2:
                return raw[:at] + raw[at:upto] * 2 + raw[upto:]
            case 3:
                return raw[:at]
            case _:
                return raw[:at] + self._random.randbytes(upto - at) + raw[at:]
