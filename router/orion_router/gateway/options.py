"""The `options` of a request: Ollama's types and words (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from orion_contracts.config import ClusterConfig
from orion_contracts.errors import InvalidRequest
from orion_router.fleet import normal

LOAD_TIME: Final = frozenset(
    {"num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict"}
)
"""A different value reloads the model."""
_INTEGERS: Final = (LOAD_TIME - {"use_mmap"}) | {
    "num_keep", "seed", "num_predict", "top_k", "repeat_last_n",
}  # fmt: skip
_FLOATS: Final = frozenset(
    {
        "top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty",
        "frequency_penalty",
    }
)  # fmt: skip
_INT64: Final = 2**63


def read_options(value: object) -> dict[str, Any] | None:
    """The options, types checked; nulls are left out, unknown names pass on to the engine.

    Raises InvalidRequest with the text Ollama gives.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidRequest("options: must be an object", "options")
    checked: dict[str, Any] = {}
    for name, given in cast(dict[str, Any], value).items():
        if given is not None:
            checked[name] = _checked(name, given)
    return checked


def _checked(name: str, given: object) -> object:
    if name in _INTEGERS:
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise _wrong(name, "integer")
        if not -_INT64 <= given < _INT64:
            raise _wrong(name, "integer")
        return int(given)
    if name in _FLOATS:
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise _wrong(name, "float32")
        return given
    if name == "use_mmap" and not isinstance(given, bool):
        raise _wrong(name, "boolean")
    if name == "stop":
        if not isinstance(given, list):
            raise _wrong(name, "array")
        words = cast(list[object], given)
        if not all(isinstance(word, str) for word in words):
            raise InvalidRequest(f'option "{name}" must be of an array of strings', "options")
        return words
    return given


def _wrong(name: str, kind: str) -> InvalidRequest:
    return InvalidRequest(f'option "{name}" must be of type {kind}', f"options.{name}")


def check_context(model: str, options: Mapping[str, Any] | None, config: ClusterConfig) -> None:
    """A configured model has the context that the configuration gives it: room was reckoned for
    that and no more. A worker raises a smaller one to it. Raises InvalidRequest."""
    if not options or "num_ctx" not in options:
        return
    name = normal(config.real_name(model))
    most = next((m.context_length for m in config.models if normal(m.name) == name), None)
    asked = options["num_ctx"]
    if most is not None and isinstance(asked, int) and asked > most:
        raise InvalidRequest(
            f'option "num_ctx": {model} is configured with {most} tokens of context here; '
            f"{asked} are more than that",
            "options.num_ctx",
        )


def stamped(options: Mapping[str, Any] | None, seed: int) -> Mapping[str, Any]:
    """The options with a seed of ours where there was none, so that a rerun repeats its text."""
    return {"seed": seed} if not options else {**options, "seed": seed}
