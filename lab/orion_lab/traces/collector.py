"""Turns what the store tells of requests into lines of a trace. Pure: no clock, no I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from orion_contracts.facts import Facts
from orion_contracts.meta import Meta
from orion_lab.traces.lines import Recorded

_DIGEST_BYTES = 6


@dataclass(frozen=True, slots=True)
class Met:
    """A request while it was open. `meta` is None where it ended before it could be read."""

    accepted_ms: int
    meta: Meta | None
    body: Mapping[str, Any] | None = None


class Collector:
    """The open requests of a recording. `key` makes the pseudonyms: it is kept nowhere."""

    def __init__(self, began_ms: int, key: bytes, with_prompts: bool = False) -> None:
        self._began_ms, self._key, self._with_prompts = began_ms, key, with_prompts
        self._open: dict[str, Met] = {}

    def __len__(self) -> int:
        return len(self._open)

    def knows(self, request_id: str) -> bool:
        """Whether its planning facts were read."""
        met = self._open.get(request_id)
        return met is not None and met.meta is not None

    def met(
        self, request_id: str, accepted_ms: int, meta: bytes | None, body: bytes | None
    ) -> None:
        """A request is open. What cannot be read is left out: outsiders can write to records."""
        known = self._open.get(request_id)
        if known is None or known.meta is None:
            told = _document(body) if self._with_prompts else None
            self._open[request_id] = Met(accepted_ms, _meta(meta), told)

    def ended(
        self, request_id: str, status: str, node: str, facts: Facts | None, accepted_ms: int,
        model: str, final: Mapping[str, Any],
    ) -> Recorded | None:  # fmt: skip
        """A request has its final; None if it began before the recording, or has no model."""
        met = self._open.pop(request_id, None) or Met(accepted_ms, None)
        if met.accepted_ms < self._began_ms:
            return None
        meta = met.meta or Meta(model=model)
        facts = facts or Facts()
        if not meta.model:
            return None
        return Recorded(
            at_s=(met.accepted_ms - self._began_ms) / 1000,
            model=meta.model,
            status=status.lower(),
            operation=meta.operation,
            priority=meta.priority,
            source=self._pseudonym("source", meta.source),
            session=self._pseudonym("session", meta.session),
            input_tokens=facts.prompt_tokens or _count(final, "prompt_tokens", meta.input_tokens),
            output_tokens=facts.output_tokens or _count(final, "completion_tokens", 0),
            output_limit=meta.output_limit,
            prefixes=tuple((self._pseudonym("", p.digest), p.tokens) for p in meta.prefixes),
            node=node,
            wait_s=_wait_s(final),
            load_s=facts.load_s or None,
            prompt_s=facts.prompt_s or None,
            output_s=facts.output_s or None,
            body=met.body,
        )

    def _pseudonym(self, kind: str, text: str) -> str:
        """The same within this recording, and without its key nothing to anybody."""
        if not text:
            return ""
        whole = f"{kind}\0{text}".encode()
        return hashlib.blake2b(whole, digest_size=_DIGEST_BYTES, key=self._key).hexdigest()


def _meta(raw: bytes | None) -> Meta | None:
    try:
        return Meta.from_bytes(raw) if raw else None
    except (ValueError, TypeError):
        return None


def _document(raw: bytes | None) -> Mapping[str, Any] | None:
    try:
        found: object = json.loads(raw) if raw else None
    except ValueError:
        return None
    return cast(dict[str, Any], found) if isinstance(found, dict) else None


def _count(final: Mapping[str, Any], name: str, otherwise: int) -> int:
    value = final.get(name)
    return value if isinstance(value, int) and value > 0 else otherwise


def _wait_s(final: Mapping[str, Any]) -> float | None:
    value = final.get("queue_ms")
    return value / 1000 if isinstance(value, int | float) and value >= 0 else None
