"""How much memory a model takes on a board: measured, or reckoned from its file or name (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from orion_contracts.footprint import DEFAULT_CONTEXT, context_bytes
from orion_contracts.health import NodeHealth
from orion_operator.quantity import in_gib
from orion_operator.spec_models import ModelSpec

_BYTES_PER_PARAMETER = (("f16", 2.0), ("fp16", 2.0), ("bf16", 2.0), ("q8", 1.07), ("q6", 0.82),
                        ("q5", 0.71), ("q3", 0.49), ("q2", 0.39))  # fmt: skip
_FOUR_BITS = 0.62
_PARAMETERS = re.compile(r"(?:^|[:_-])(\d{1,4}(?:\.\d{1,3})?)([bm])(?:$|[_-])")

Source = Literal["measured", "file", "name", "unknown"]


@dataclass(frozen=True, slots=True)
class Footprint:
    """`total_bytes` None: nothing is known; the model is placed without arithmetic."""

    source: Source
    file_bytes: int = 0
    context_bytes: int = 0
    context_length: int = DEFAULT_CONTEXT

    @property
    def total_bytes(self) -> int | None:
        """What has to be free for it."""
        return None if self.source == "unknown" else self.file_bytes + self.context_bytes

    def __str__(self) -> str:
        """The arithmetic, for people."""
        if self.source == "unknown":
            return "its size is not known yet"
        total = in_gib(self.file_bytes + self.context_bytes)
        if self.source == "measured":
            return f"needs {total} (measured)"
        told = "by its name" if self.source == "name" else "on disk"
        return (
            f"needs {total} (file {in_gib(self.file_bytes)} {told} + {in_gib(self.context_bytes)} "
            f"for {self.context_length} tokens of context)"
        )


def tagged(model: str) -> str:
    """A model name with its tag: none means `latest`."""
    return model if ":" in model else f"{model}:latest"


def guess_file_bytes(model: str) -> int:
    """From the parameters in the name ("llama3.2:3b" has 3 billion); 0: it does not say."""
    name = tagged(model).lower()
    tag = name.rpartition(":")[2]
    match = _PARAMETERS.search(tag) or _PARAMETERS.search(name.rpartition(":")[0])
    if match is None:
        return 0
    parameters = float(match[1]) * (1e9 if match[2] == "b" else 1e6)
    bits = next((b for word, b in _BYTES_PER_PARAMETER if word in tag), _FOUR_BITS)
    return round(parameters * bits)


@dataclass(frozen=True, slots=True)
class Survey:
    """What boards report of models, by name with tag: the largest file, and each loaded one as
    (context, bytes)."""

    files: Mapping[str, int]
    loaded: Mapping[str, tuple[tuple[int, int], ...]]


def survey(reports: Iterable[NodeHealth]) -> Survey:
    """All reports in one."""
    files: dict[str, int] = {}
    loaded: dict[str, set[tuple[int, int]]] = {}
    for report in reports:
        for on_disk in report.models:
            name = tagged(on_disk.name)
            files[name] = max(files.get(name, 0), on_disk.size_bytes)
        for resident in report.resident:
            pair = (resident.context_length, resident.size_bytes)
            loaded.setdefault(tagged(resident.name), set()).add(pair)
    return Survey(files, {name: tuple(sorted(pairs)) for name, pairs in loaded.items()})


def footprint(model: ModelSpec, slots: int, known: Survey) -> Footprint:
    """The most that any board reports; else from the file's size; else from the name."""
    context = model.context_length or DEFAULT_CONTEXT
    name = tagged(model.name)
    file_bytes = known.files.get(name, 0)
    fitting = [
        size
        for length, size in known.loaded.get(name, ())
        if model.context_length is None or length in (0, context)
    ]
    measured = max(fitting, default=0)
    if measured and measured >= file_bytes:
        return Footprint("measured", measured, 0, context)
    source: Source = "file"
    if not file_bytes:
        file_bytes, source = guess_file_bytes(model.name), "name"
    if not file_bytes:
        return Footprint("unknown", context_length=context)
    cache = context_bytes(file_bytes, context, slots)
    return Footprint(source, file_bytes, cache, context)
