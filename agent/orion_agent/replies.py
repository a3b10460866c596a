"""Ollama's answers as our values (pure). Parts of a stream are the client's models or mappings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orion_agent.engine import Done
from orion_agent.outbox import Delta
from orion_contracts.health import DiskModel, ResidentModel

NS = 1e9


def delta(part: Any) -> Delta | None:
    """The token in a streamed part; None for one that says nothing."""
    message = part.get("message")
    delta: Delta = {}
    if message is None:
        content, thinking, tool_calls = part.get("response"), part.get("thinking"), None
    else:
        content, thinking = message.get("content"), message.get("thinking")
        tool_calls = message.get("tool_calls")
    if content:
        delta["content"] = content
    if thinking:
        delta["thinking"] = thinking
    if tool_calls:
        delta["tool_calls"] = tool_calls
    return delta or None


def done(part: Any) -> Done:
    """Ollama's figures of a finished request."""
    context = part.get("context")
    return Done(
        part.get("done_reason") or "stop",
        part.get("prompt_eval_count") or 0,
        part.get("eval_count") or 0,
        (part.get("total_duration") or 0) / NS,
        (part.get("load_duration") or 0) / NS,
        (part.get("prompt_eval_duration") or 0) / NS,
        (part.get("eval_duration") or 0) / NS,
        tuple(context) if context else None,
    )


def resident(model: Mapping[str, Any]) -> ResidentModel:
    """A model of `/api/ps`."""
    return ResidentModel(
        name=str(model.get("name") or model.get("model", "")),
        digest=str(model.get("digest", "")),
        size_bytes=int(model.get("size") or 0),
        context_length=int(model.get("context_length") or 0),
        expires_at=_seconds(str(model.get("expires_at") or "")),
    )


def on_disk(model: Mapping[str, Any]) -> DiskModel:
    """A model of `/api/tags`."""
    return DiskModel(
        name=str(model.get("name") or model.get("model", "")),
        digest=str(model.get("digest", "")),
        size_bytes=int(model.get("size") or 0),
        modified_at=str(model.get("modified_at") or ""),
        details=model.get("details") or {},
        capabilities=tuple(model.get("capabilities") or ()),
    )


def _seconds(moment: str) -> str:
    """Cut to whole seconds: otherwise the report changes whenever a request ends."""
    try:
        return datetime.fromisoformat(moment).replace(microsecond=0).isoformat()
    except ValueError:
        return moment
