"""Names of models: as Ollama lists them, and whether one may be fetched (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orion_contracts.errors import InvalidRequest
from orion_contracts.limits import check_model

DEFAULT_REGISTRY = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
_LEFTOVER = re.compile(r"127\.0\.0\.1:\d{1,5}/orion-[0-9a-f]{16}/m:latest")


def canonical(name: str) -> str:
    """With its tag, without the registry and namespace that are Ollama's own."""
    parts, tag = parts_of(name)
    if len(parts) == 3 and parts[0] == DEFAULT_REGISTRY:
        parts = parts[1:]
    if len(parts) == 2 and parts[0] == DEFAULT_NAMESPACE:
        parts = parts[1:]
    return f"{'/'.join(parts)}:{tag}"


def refusal(name: str) -> str:
    """Why this model is not fetched from anywhere; empty: it may be."""
    try:
        check_model(name)
    except InvalidRequest as error:
        return str(error)
    parts, tag = parts_of(name)
    if len(parts) > 3 or any(part in ("", ".", "..") for part in parts):
        return "this is no name of a model: write NAME:TAG, SPACE/NAME:TAG or HOST/SPACE/NAME:TAG"
    if tag == "cloud" or tag.endswith("-cloud"):
        return "a cloud model would send its prompts away from here; put another one on the boards"
    return ""


def problem(name: str, registries: Sequence[str]) -> str:
    """Why this model is not fetched from its registry; empty: it may be."""
    if why := refusal(name):
        return why
    parts, _ = parts_of(name)
    host = parts[0] if len(parts) == 3 else DEFAULT_REGISTRY
    if host in registries:
        return ""
    allowed = ", ".join(registries) or "none"
    return (
        f"it is not on disk, and {host} is no registry that this worker may pull from "
        f"(--model-registries: {allowed}); put it on disk yourself, or allow the registry"
    )


def is_leftover(name: str) -> bool:
    """Whether a copy that was broken off left this name: see sharing_relay."""
    return _LEFTOVER.fullmatch(name) is not None


def parts_of(name: str) -> tuple[list[str], str]:
    """Host, namespace and model, as many as there are; and the tag."""
    path, _, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return [*(path.split("/") if path else []), last], tag or "latest"
