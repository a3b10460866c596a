"""The `options` of a request: which are load-time, which types they must have."""

from collections.abc import Mapping
from typing import Any, Final, cast

from orion_lab import world
from orion_lab.errors import NO_BATCH, ApiError
from orion_lab.models import ModelSpec
from orion_lab.scheduler import Fingerprint

_LOAD_TIME: Final = (
    "num_batch",
    "num_gpu",
    "main_gpu",
    "use_mmap",
    "num_thread",
    "draft_num_predict",
)


def number(options: Mapping[str, Any], key: str, default: float) -> float:
    """A numeric option.

    Raises:
        ApiError: 500, as Ollama answers a wrong type.
    """
    value = options.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = "integer" if isinstance(default, int) else "float32"
        raise ApiError(500, f'option "{key}" must be of type {kind}')
    return value


def stops(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The stop sequences.

    Raises:
        ApiError: 500, not an array of strings.
    """
    value = options.get("stop")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ApiError(500, 'option "stop" must be of type array')
    texts = cast("list[object]", value)
    if not all(isinstance(each, str) for each in texts):
        raise ApiError(500, 'option "stop" must be of an array of strings')
    return tuple(str(each) for each in texts)


def fingerprint(options: Mapping[str, Any], model: ModelSpec) -> Fingerprint:
    """What decides whether a loaded model can serve these options; the context is clipped to
    what the model was trained for.

    Raises:
        ApiError: 500, a wrong type, or a batch that ends the runner.
    """
    context = int(number(options, "num_ctx", world.DEFAULT_CONTEXT_TOKENS))
    if int(number(options, "num_batch", 512)) < 1:
        raise ApiError(500, NO_BATCH)
    others = tuple((key, options[key]) for key in _LOAD_TIME if options.get(key) is not None)
    return Fingerprint(min(max(context, 4), model.trained_context), others)
