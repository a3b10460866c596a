"""Names of models: their tags, the further names that the configuration gives them, and which model
answers in place of which (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol


class Named(Protocol):
    """What a configured model says about names."""

    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> Sequence[str]: ...
    @property
    def fallback(self) -> str | None: ...


def tagged(model: str) -> str:
    """A model name with its tag: no tag means `latest`."""
    return model if ":" in model else f"{model}:latest"


def real_names(models: Iterable[Named]) -> dict[str, str]:
    """Aliases, tagged, with the model that each stands for. One that is also a model's own name, or
    that two models claim, stands for nothing: nobody could tell what it means."""
    models = list(models)
    own = {tagged(model.name) for model in models}
    claimed = _claims(models)
    return {
        alias: model.name
        for model in models
        for alias in dict.fromkeys(map(tagged, model.aliases))
        if alias not in own and claimed[alias] == 1
    }


def _claims(models: Iterable[Named]) -> Counter[str]:
    return Counter(alias for m in models for alias in dict.fromkeys(map(tagged, m.aliases)))


def ladder(models: Iterable[Named], model: str) -> list[str]:
    """What answers in place of `model`, one after the other; a circle ends where it would begin
    anew."""
    steps = _steps(models)
    seen, at, found = {tagged(model)}, tagged(model), list[str]()
    while (step := steps.get(at)) is not None and tagged(step) not in seen:
        found.append(step)
        at = tagged(step)
        seen.add(at)
    return found


def _steps(models: Iterable[Named]) -> Mapping[str, str]:
    return {tagged(m.name): m.fallback for m in models if m.fallback}


class Problem(NamedTuple):
    """What is wrong with the names of one model."""

    at: int
    """The model's place in the list."""
    field: str
    text: str
    """With the remedy."""


def problems(models: Sequence[Named]) -> list[Problem]:
    """Names that mean nothing, with the remedy."""
    own = {tagged(model.name): i for i, model in enumerate(models)}
    claimed, steps, found = _claims(models), _steps(models), list[Problem]()
    for i, model in enumerate(models):
        for alias in dict.fromkeys(map(tagged, model.aliases)):
            if own.get(alias, i) != i:
                text = f"{alias} is another model's own name; choose another alias"
                found.append(Problem(i, "aliases", text))
            elif alias not in own and claimed[alias] > 1:
                text = f"{alias} is an alias of two models; give it to one of them"
                found.append(Problem(i, "aliases", text))
        circle = _circle(steps, tagged(model.name))
        if circle:
            text = f"{' → '.join(circle)} is a circle; let the smallest model have no fallback"
            found.append(Problem(i, "fallback", text))
    return found


def _circle(steps: Mapping[str, str], begin: str) -> list[str]:
    """The circle that leads back to `begin`; empty where none does."""
    path = [begin]
    while (step := steps.get(path[-1])) is not None:
        path.append(tagged(step))
        if path[-1] == begin:
            return path
        if path[-1] in path[:-1]:
            return []  # a circle further down: told at its own models
    return []
