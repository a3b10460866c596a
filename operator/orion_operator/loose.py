"""Reading documents that others made: what has the wrong shape counts as absent (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def mapping(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    items: list[Any] = cast(Any, value) if isinstance(value, list) else []
    return [mapping(each) for each in items if isinstance(each, Mapping)]


def texts(value: Any) -> list[str]:
    """The strings of a list."""
    items: list[Any] = cast(Any, value) if isinstance(value, list) else []
    return [each for each in items if isinstance(each, str)]
