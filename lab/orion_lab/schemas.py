"""Which JSON Schemas in `format` Ollama can turn into a grammar, as far as tests need it."""

from collections.abc import Mapping
from typing import Any, Final, cast

_TYPES: Final = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")


def usable(schema: object, root: Mapping[str, Any] | None = None) -> bool:
    """Whether every part has a known type, and refers to what is there."""
    if isinstance(schema, bool):
        return True
    if not isinstance(schema, dict):
        return False
    part = cast("dict[str, Any]", schema)
    root = part if root is None else root
    if "$ref" in part:
        return _resolves(part["$ref"], root)
    return (
        _typed(part.get("type"))
        and _anchored(part.get("pattern", "^$"))
        and all(usable(each, root) for each in _parts(part))
    )


def _typed(kind: object) -> bool:
    if isinstance(kind, list):
        return all(each in _TYPES for each in cast("list[object]", kind))
    return kind is None or kind in _TYPES


def _anchored(pattern: object) -> bool:
    return isinstance(pattern, str) and pattern.startswith("^") and pattern.endswith("$")


def _parts(part: Mapping[str, Any]) -> list[object]:
    found: list[object] = []
    properties = part.get("properties")
    if isinstance(properties, dict):
        found += cast("dict[str, object]", properties).values()
    elif properties is not None:
        found.append(None)  # none is usable
    if "items" in part:
        found.append(part["items"])
    for name in _LISTS:
        found += cast("list[object]", part.get(name) or [])
    return found


def _resolves(ref: object, root: Mapping[str, Any]) -> bool:
    if not isinstance(ref, str) or not ref.startswith("#"):
        return False
    place: object = root
    for step in ref.removeprefix("#").strip("/").split("/"):
        if not step:
            continue
        if not isinstance(place, dict) or step not in place:
            return False
        place = cast("dict[str, object]", place)[step]
    return True
