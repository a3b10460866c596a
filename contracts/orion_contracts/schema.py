"""The packaged JSON Schemas: loaded once, checked at every module boundary."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, cast

import orjson

# Without this, jsonschema loads what it needs for formats that no schema of ours uses (a grammar of
# international addresses, calendars, colours): 17 MiB and more than a second in every process.
for _unused in ("rfc3987_syntax", "isoduration", "uri_template", "webcolors"):
    sys.modules.setdefault(_unused, cast(Any, None))

from jsonschema import Draft202012Validator  # noqa: E402
from jsonschema.exceptions import (  # noqa: E402
    ValidationError,
    best_match,  # pyright: ignore[reportUnknownVariableType]
)

from orion_contracts.errors import InvalidRequest  # noqa: E402

NAMES = (
    "inference.request",
    "inference.response",
    "chunk",
    "node-health",
    "dead-letter",
    "config",
    "trace",
)


def _read(name: str) -> dict[str, Any]:
    text = (files("orion_contracts") / "schemas" / f"{name}.schema.json").read_bytes()
    return cast(dict[str, Any], orjson.loads(text))


_DOCUMENTS = {name: _read(name) for name in NAMES}
"""Read at import: no file is opened inside an event loop."""


def load(name: str) -> dict[str, Any]:
    """The schema document called `name` (see NAMES)."""
    return _DOCUMENTS[name]


@cache
def validator(name: str) -> Draft202012Validator:
    """A compiled validator that also enforces `uuid` and `date-time`."""
    return Draft202012Validator(load(name), format_checker=Draft202012Validator.FORMAT_CHECKER)


def check(name: str, document: Mapping[str, Any]) -> None:
    """Raise InvalidRequest naming the field and what it should be, or return."""
    compiled = validator(name)
    if compiled.is_valid(document):
        return
    error = cast(ValidationError, best_match(compiled.iter_errors(document)))
    field = ".".join(str(p) for p in error.absolute_path)
    raise InvalidRequest(f"{field or 'the document'}: {_remedy(error)}", field)


def _remedy(error: ValidationError) -> str:
    """A sentence that never repeats the caller's (possibly huge or secret) value."""
    match error.validator:
        case "required":
            present = cast(Mapping[str, Any], error.instance)
            wanted = cast(list[str], error.validator_value)
            missing = [name for name in wanted if name not in present]
            return f"the field {', '.join(missing)} is required"
        case "type":
            return f"must be of type {error.validator_value}"
        case "const":
            return f"must be {error.validator_value!r}"
        case "enum":
            return f"must be one of {error.validator_value}"
        case "format":
            return f"must be a valid {error.validator_value}"
        case "additionalProperties":
            return "has fields that are not known here; remove them"
        case _:
            return f"breaks the rule {error.validator} = {str(error.validator_value)[:100]}"
