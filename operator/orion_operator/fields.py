"""Fields of a resource: one declaration gives the Python default, the schema and the reader (pure).

A dataclass field carries its rule in its metadata. `schema_of` turns a dataclass into a structural
OpenAPI schema, `read` turns a resource's dictionary into the dataclass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

T = TypeVar("T")
_RULE = "rule"
_MISSING = dataclasses.MISSING


class InvalidResource(ValueError):
    """A resource that the schema should have refused; the text names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cel:
    """A CEL rule of the API server. `field` is where its message points."""

    rule: str
    message: str
    field: str = ""

    def as_schema(self) -> dict[str, Any]:
        """One item of x-kubernetes-validations."""
        schema = {"rule": self.rule, "message": self.message}
        return schema | ({"fieldPath": self.field} if self.field else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one field looks in the resource."""

    schema: Mapping[str, Any]
    name: str = ""
    item: type[Any] | None = None
    """The dataclass of a nested object, or of a list's items."""
    convert: Callable[[Any], Any] | None = None
    cel: tuple[Cel, ...] = ()


def declare(
    default: Any = _MISSING,
    *,
    text: str,
    kind: str = "string",
    name: str = "",
    item: type[Any] | None = None,
    convert: Callable[[Any], Any] | None = None,
    cel: tuple[Cel, ...] = (),
    shown: Any = _MISSING,
    **schema: Any,
) -> Any:
    """A dataclass field. `default` is Python's, `shown` the resource's where they differ."""
    full: dict[str, Any] = {"description": text, "type": kind} | schema
    visible = default if shown is _MISSING else shown
    if visible is not _MISSING and visible is not None:
        full["default"] = list(cast(Any, visible)) if isinstance(visible, tuple) else visible
    rule = Rule(schema=full, name=name, item=item, convert=convert, cel=cel)
    if default is _MISSING:
        return field(metadata={_RULE: rule})
    return field(default=default, metadata={_RULE: rule})


def camel(name: str) -> str:
    """`max_queue_bytes` is `maxQueueBytes` in a resource."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def rules_of(kind: type[Any]) -> dict[str, tuple[str, Rule, bool]]:
    """Python name to (name in the resource, rule, required)."""
    found: dict[str, tuple[str, Rule, bool]] = {}
    for each in dataclasses.fields(kind):
        rule = cast(Rule, each.metadata[_RULE])
        required = each.default is _MISSING and each.default_factory is _MISSING
        found[each.name] = (rule.name or camel(each.name), rule, required)
    return found


def schema_of(kind: type[Any], text: str = "") -> dict[str, Any]:
    """A structural schema of the dataclass."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, rule, needed in rules_of(kind).values():
        properties[name] = _property(rule)
        if needed:
            required.append(name)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if text:
        schema = {"description": text} | schema
    if required:
        schema["required"] = required
    if cels := cast(tuple[Cel, ...], getattr(kind, "RULES", ())):
        schema["x-kubernetes-validations"] = [cel.as_schema() for cel in cels]
    return schema


def _property(rule: Rule) -> dict[str, Any]:
    schema = dict(rule.schema)
    if schema["type"] == "int-or-string":
        del schema["type"]
        schema["x-kubernetes-int-or-string"] = True
    if rule.item is not None:
        inner = schema_of(rule.item)
        schema |= {"items": inner} if schema["type"] == "array" else inner
        if schema["type"] == "object" and "default" in schema:
            schema["default"] = defaults_of(inner) | schema["default"]
    if rule.cel:
        own = [cel.as_schema() for cel in rule.cel]
        schema["x-kubernetes-validations"] = [*schema.get("x-kubernetes-validations", ()), *own]
    return schema


def defaults_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The default of an object, complete: the API server tries its rules on it as it stands."""
    properties = cast(dict[str, dict[str, Any]], schema["properties"])
    return {name: each["default"] for name, each in properties.items() if "default" in each}


def read(kind: type[T], document: Mapping[str, Any], path: str = "") -> T:
    """The dataclass from a resource's dictionary. Raises InvalidResource naming the field.

    The API server has checked types and bounds; what is read here is checked again only as far as
    a wrong value would break us: an older CRD may have let it pass.
    """
    values: dict[str, Any] = {}
    for attribute, (name, rule, needed) in rules_of(kind).items():
        where = f"{path}.{name}" if path else name
        if document.get(name) is None:
            if needed:
                raise InvalidResource(f"{where}: is required")
            continue
        values[attribute] = _value(rule, document[name], where)
    return kind(**values)


def write(value: Any, *, blanks: bool = False) -> dict[str, Any]:
    """A resource's dictionary from the dataclass. What is None is left out, or, for a merge patch
    that has to take it away, null (`blanks`); never within lists, which are replaced whole."""
    document: dict[str, Any] = {}
    for attribute, (name, rule, _) in rules_of(value.__class__).items():
        item = getattr(value, attribute)
        if item is None:
            if blanks:
                document[name] = None
        elif rule.item is None:
            document[name] = list(cast("tuple[Any, ...]", item)) if _is_list(rule) else item
        elif _is_list(rule):
            document[name] = [write(each) for each in item]
        else:
            document[name] = write(item, blanks=blanks)
    return document


def _is_list(rule: Rule) -> bool:
    return bool(rule.schema["type"] == "array")


def _value(rule: Rule, value: Any, where: str) -> Any:
    kind = rule.schema["type"]
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        raise InvalidResource(f"{where}: must be of type {kind}, is {type(value).__name__}")
    if rule.convert is not None:
        try:
            value = rule.convert(value)
        except ValueError as error:
            raise InvalidResource(f"{where}: {error}") from error
    if (allowed := rule.schema.get("enum")) and value not in allowed:
        raise InvalidResource(f"{where}: must be one of {', '.join(allowed)}")
    least, most = rule.schema.get("minimum"), rule.schema.get("maximum")
    if (least is not None and value < least) or (most is not None and value > most):
        raise InvalidResource(f"{where}: must be from {least} to {most}, is {value}")
    if rule.item is not None:
        if kind == "array":
            items = cast(list[Mapping[str, Any]], value)
            return tuple(read(rule.item, each, f"{where}[{i}]") for i, each in enumerate(items))
        return read(rule.item, cast(Mapping[str, Any], value), where)
    return tuple(cast(list[Any], value)) if kind == "array" else value


_TYPES: Mapping[str, Any] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "int-or-string": (int, str),
    "array": list,
    "object": Mapping,
}
