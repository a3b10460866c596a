"""Embeddings in both protocols. The final's `response` holds the vectors as JSON (pure)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any, cast

import orjson

from orion_router.gateway.ask import Ask
from orion_router.gateway.faults import Fault, ollama_error, openai_error
from orion_router.gateway.ollama_out import JSON as OLLAMA_JSON
from orion_router.gateway.openai_out import JSON as OPENAI_JSON

Vector = Sequence[float]


def vectors(final: Mapping[str, Any], ask: Ask) -> list[Vector]:
    """The embeddings, cut to the dimensions asked for and brought to length 1 again."""
    if ask.load_only:
        return []
    found: Any = orjson.loads(final.get("response") or "[]")
    return [_cut(vector, ask.dimensions) for vector in cast(list[Vector], found)]


def _cut(vector: Vector, dimensions: int | None) -> Vector:
    if dimensions is None or dimensions >= len(vector):
        return vector
    kept = vector[:dimensions]
    length = sqrt(sum(value * value for value in kept)) or 1.0
    return [value / length for value in kept]


class OllamaEmbedShape:
    """One answer of /api/embed, or with `first_only` of the older /api/embeddings."""

    stream_type = whole_type = OLLAMA_JSON
    keep_alive = b""

    def __init__(self, ask: Ask, *, first_only: bool = False) -> None:
        self._ask, self._first_only = ask, first_only

    def answered_by(self, model: str) -> None:
        """See Shape."""
        self._ask = replace(self._ask, model=model)

    def pieces(self, deltas: Sequence[Mapping[str, Any]]) -> bytes:
        """See Shape."""
        return b""

    def end(self, final: Mapping[str, Any], called_tools: bool, facts: bytes) -> bytes:
        """See Shape."""
        return self.whole(final)

    def broken(self, fault: Fault) -> bytes:
        """See Shape."""
        return ollama_error(fault)

    def whole(self, final: Mapping[str, Any]) -> bytes:
        """See Shape."""
        found = vectors(final, self._ask)
        if self._first_only:
            return orjson.dumps({"embedding": found[0] if found else []})
        document: dict[str, Any] = {"model": self._ask.model, "embeddings": found}
        if found:
            document["total_duration"] = int((final.get("total_duration_ms") or 0) * 1e6)
            document["load_duration"] = int((final.get("load_duration_ms") or 0) * 1e6)
            if tokens := final.get("prompt_tokens"):
                document["prompt_eval_count"] = tokens
        return orjson.dumps(document)


class OpenAIEmbedShape:
    """One answer of /v1/embeddings."""

    stream_type = whole_type = OPENAI_JSON
    keep_alive = b""

    def __init__(self, ask: Ask, *, as_base64: bool) -> None:
        self._ask, self._as_base64 = ask, as_base64

    def answered_by(self, model: str) -> None:
        """See Shape."""
        self._ask = replace(self._ask, model=model)

    def pieces(self, deltas: Sequence[Mapping[str, Any]]) -> bytes:
        """See Shape."""
        return b""

    def end(self, final: Mapping[str, Any], called_tools: bool, facts: bytes) -> bytes:
        """See Shape."""
        return self.whole(final)

    def broken(self, fault: Fault) -> bytes:
        """See Shape."""
        return openai_error(fault)

    def whole(self, final: Mapping[str, Any]) -> bytes:
        """See Shape."""
        data = [
            {"object": "embedding", "embedding": self._spelled(vector), "index": index}
            for index, vector in enumerate(vectors(final, self._ask))
        ]
        tokens = final.get("prompt_tokens") or 0
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        document = {"object": "list", "data": data, "model": self._ask.model, "usage": usage}
        return orjson.dumps(document) + b"\n"

    def _spelled(self, vector: Vector) -> Vector | str:
        if not self._as_base64:
            return vector
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
