"""Ollama's metadata objects: tags, ps, show."""

import time
from typing import Any, Final

from orion_lab.board import Board
from orion_lab.durations import expiry_stamp, stamp
from orion_lab.models import ModelSpec

# A fixed time: the files were put there before the board was switched on.
_MODIFIED_AT: Final = stamp(1_767_225_600_000_000_000)
_TEMPLATE: Final = (
    "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
)


def details(model: ModelSpec) -> dict[str, Any]:
    """The `details` object that tags, ps and show share."""
    return {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameter_size,
        "quantization_level": model.quantization,
    }


def tags(board: Board) -> dict[str, Any]:
    """`/api/tags`: the models on disk."""
    return {
        "models": [
            {
                "name": model.name,
                "model": model.name,
                "modified_at": _MODIFIED_AT,
                "size": model.size_bytes,
                "digest": model.digest,
                "details": details(model),
                "capabilities": list(model.capabilities),
            }
            for model in board.models.values()
        ]
    }


def running(board: Board) -> dict[str, Any]:
    """`/api/ps`: the models that are loaded; one that is still loading is not listed."""
    now_s = time.time()
    return {
        "models": [
            {
                "name": runner.model.name,
                "model": runner.model.name,
                "size": runner.model.resident_bytes(
                    runner.fingerprint.context_tokens, board.settings.slots
                ),
                "digest": runner.model.digest,
                "details": details(runner.model),
                "expires_at": expiry_stamp(now_s, runner.expires_epoch_s - now_s),
                "size_vram": 0,
                "context_length": runner.fingerprint.context_tokens,
            }
            for runner in board.scheduler.runners.values()
        ]
    }


def show(model: ModelSpec) -> dict[str, Any]:
    """`/api/show`: one model in detail."""
    arch = model.family
    return {
        "license": "",
        "modelfile": f"FROM {model.name}\nTEMPLATE {_TEMPLATE}\n",
        "parameters": f"temperature                    {model.temperature:g}",
        "template": _TEMPLATE,
        "details": details(model),
        "model_info": {
            "general.architecture": arch,
            "general.file_type": 3,
            "general.parameter_count": _count(model.parameter_size),
            f"{arch}.attention.head_count_kv": model.kv_heads,
            f"{arch}.attention.key_length": model.head_dim,
            f"{arch}.attention.value_length": model.head_dim,
            f"{arch}.block_count": model.layers,
            f"{arch}.context_length": model.trained_context,
            f"{arch}.embedding_length": model.embedding_length,
        },
        "capabilities": list(model.capabilities),
        "modified_at": _MODIFIED_AT,
    }


def _count(parameter_size: str) -> int:
    scale = {"M": 1e6, "B": 1e9}[parameter_size[-1]]
    return int(float(parameter_size[:-1]) * scale)
