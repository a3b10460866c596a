"""Names of models: as Ollama lists them, and whether one may be fetched (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from orion_contracts.errors import InvalidRequest
from orion_contracts.limits import check_model

DEFAULT_REGISTRY = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"


def canonical(name: str) -> str:
    """With its tag, without the registry and namespace that are Ollama's own."""
    parts, tag = _split(name)
    if len(parts) == 3 and parts[0] == DEFAULT_REGISTRY:
        parts = parts[1:]
    if len(parts) == 2 and parts[0] == DEFAULT_NAMESPACE:
        parts = parts[1:]
    return f"{'/'.join(parts)}:{tag}"


def problem(name: str, registries: Sequence[str]) -> str:
    """Why this model is not fetched from anywhere; empty: it may be."""
    try:
        check_model(name)
    except InvalidRequest as error:
        return str(error)
    parts, tag = _split(name)
    if len(parts) > 3 or not all(parts):
        return "this is no name of a model: write NAME:TAG, SPACE/NAME:TAG or HOST/SPACE/NAME:TAG"
    if tag == "cloud" or tag.endswith("-cloud"):
        return "a cloud model would send its prompts away from here; put another one on the boards"
    host = parts[0] if len(parts) == 3 else DEFAULT_REGISTRY
    if host in registries:
        return ""
    allowed = ", ".join(registries) or "none"
    return (
        f"it is not on disk, and {host} is no registry that this worker may pull from "
        f"(--model-registries: {allowed}); put it on disk yourself, or allow the registry"
    )


def _split(name: str) -> tuple[list[str], str]:
    path, _, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return [*(path.split("/") if path else []), last], tag or "latest"
