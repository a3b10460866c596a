"""What models there are, merged over the boards: tags, ps, show, version, OpenAI's list (pure).

These answers never queue and never ask a board: they come from the last health reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from orion_contracts.errors import UnknownModel
from orion_contracts.health import DiskModel, ResidentModel
from orion_router.fleet import Fleet, Node, normal

Aliases = Mapping[str, str]
"""Further names of models, tagged, with the model that each stands for."""
NO_ALIASES: Aliases = {}
_DETAILS: Mapping[str, Any] = {
    "parent_model": "",
    "format": "",
    "family": "",
    "families": None,
    "parameter_size": "",
    "quantization_level": "",
}


def _present(fleet: Fleet) -> Iterable[Node]:
    return (n for _, n in sorted(fleet.nodes.items()) if n.state != "lost" and n.health)


def on_disk(fleet: Fleet) -> dict[str, DiskModel]:
    """Every model on a present board's disk by its normalised name: the newest copy of each."""
    found: dict[str, DiskModel] = {}
    for node in _present(fleet):
        for name, model in node.on_disk.items():
            if name not in found or model.modified_at > found[name].modified_at:
                found[name] = model
    return found


def listed(fleet: Fleet, aliases: Aliases) -> dict[str, DiskModel]:
    """The same with the further names of those models, as Ollama lists a copy."""
    found = on_disk(fleet)
    named = {alias: found.get(normal(model)) for alias, model in aliases.items()}
    return found | {alias: replace(m, name=alias) for alias, m in named.items() if m is not None}


def _newest(models: Mapping[str, DiskModel]) -> list[DiskModel]:
    return sorted(models.values(), key=lambda m: m.modified_at, reverse=True)


def tags(fleet: Fleet, aliases: Aliases = NO_ALIASES) -> dict[str, Any]:
    """`/api/tags`: newest first."""
    return {"models": [_tag(model) for model in _newest(listed(fleet, aliases))]}


def _tag(model: DiskModel) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": model.name, "model": model.name}
    if model.modified_at:
        entry["modified_at"] = model.modified_at
    entry |= {"size": model.size_bytes, "digest": model.digest, "details": _details(model)}
    if model.capabilities:
        entry["capabilities"] = list(model.capabilities)
    return entry


def _details(model: DiskModel | None) -> dict[str, Any]:
    return {**_DETAILS, **(model.details or {})} if model else dict(_DETAILS)


def running(fleet: Fleet) -> dict[str, Any]:
    """`/api/ps`: each loaded model once, with the boards that hold it."""
    disk = on_disk(fleet)
    holders: dict[str, list[str]] = {}
    newest: dict[str, ResidentModel] = {}
    for node in _present(fleet):
        for model in node.health.resident if node.health else ():
            name = normal(model.name)
            holders.setdefault(name, []).append(node.name)
            if name not in newest or model.expires_at > newest[name].expires_at:
                newest[name] = model
    models = sorted(newest.items(), key=lambda item: item[1].expires_at, reverse=True)
    return {"models": [_loaded(model, disk.get(name), holders[name]) for name, model in models]}


def _loaded(model: ResidentModel, disk: DiskModel | None, nodes: list[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": model.name,
        "model": model.name,
        "size": model.size_bytes or (disk.size_bytes if disk else 0),
        "digest": model.digest or (disk.digest if disk else ""),
        "details": _details(disk),
    }
    if model.expires_at:
        entry["expires_at"] = model.expires_at
    entry |= {"size_vram": 0, "context_length": model.context_length, "nodes": nodes}
    return entry


def show(fleet: Fleet, name: str, aliases: Aliases = NO_ALIASES) -> dict[str, Any]:
    """`/api/show`: what the boards report about a model. Raises UnknownModel."""
    model = listed(fleet, aliases).get(normal(name))
    if model is None:
        raise UnknownModel(name)
    document: dict[str, Any] = {"details": _details(model), "model_info": {}}
    if model.capabilities:
        document["capabilities"] = list(model.capabilities)
    if model.modified_at:
        document["modified_at"] = model.modified_at
    return document


def version(fleet: Fleet, ours: str) -> dict[str, str]:
    """`/api/version`: the oldest engine's, which is what a client can rely on."""
    found = [n.health.engine.version for n in _present(fleet) if n.health]
    known = sorted((v for v in found if v), key=_version_key)
    return {"version": known[0] if known else ours}


def _version_key(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("-")[0].split("."))


def openai_models(fleet: Fleet, aliases: Aliases = NO_ALIASES) -> dict[str, Any]:
    """`/v1/models`."""
    models = _newest(listed(fleet, aliases))
    return {"object": "list", "data": [_openai(model.name, model) for model in models]}


def openai_model(fleet: Fleet, name: str, aliases: Aliases = NO_ALIASES) -> dict[str, Any]:
    """`/v1/models/NAME`. Raises UnknownModel."""
    model = listed(fleet, aliases).get(normal(name))
    if model is None:
        raise UnknownModel(name)
    return _openai(name, model)


def _openai(name: str, model: DiskModel) -> dict[str, Any]:
    namespace, slash, _ = name.rpartition("/")
    owner = namespace.rpartition("/")[2] if slash else "library"
    return {
        "id": name,
        "object": "model",
        "created": _epoch_s(model.modified_at),
        "owned_by": owner,
    }


def _epoch_s(moment: str) -> int:
    try:
        return int(datetime.fromisoformat(moment).timestamp())
    except (ValueError, OverflowError):
        return 0
