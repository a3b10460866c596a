"""A report's fields as they may be written: what breaks the schema is left out, not the report.

Routers drop a report that breaks its schema, and with it the board. Engines and sensors say what
they like; one strange value of theirs must not cost more than itself.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from orion_contracts import schema

MOST_CUTS: Final = 64
"""Strange values that are cut out of one field; where there are more the field is left out."""
logger = logging.getLogger("orion.worker.health")


class Soundness:
    """Remembers what it has judged: between two reports few fields change."""

    def __init__(self) -> None:
        self._judged: dict[str, tuple[Any, bytes | None]] = {}
        self._said: dict[str, str] = {}

    def fields(self, document: Mapping[str, Any]) -> dict[str, bytes]:
        """The hash of a report. What had to be left out is logged, once as long as it lasts."""
        fields: dict[str, bytes] = {}
        for name, value in document.items():
            before = self._judged.get(name)
            if before is None or before[0] != value:
                before = self._judged[name] = (copy.deepcopy(value), self._judge(name, value))
            if before[1] is not None:
                fields[name] = before[1]
        return fields

    def _judge(self, name: str, value: Any) -> bytes | None:
        raw, why = _sound(name, value)
        if why and self._said.get(name) != why:
            logger.error("the report leaves out what breaks its schema: %s", why)
        self._said[name] = why
        return raw


def _sound(name: str, value: Any) -> tuple[bytes | None, str]:
    """The field without what breaks its schema, and what that was; None: nothing is left."""
    try:
        raw = orjson.dumps(value)
    except (TypeError, ValueError) as error:
        return None, f"{name}: {error}"
    left: Any = [orjson.loads(raw)]  # what a reader sees; in a list, so that all of it can go, too
    judge, why = _validator(name), ""
    for _ in range(MOST_CUTS):
        found: ValidationError | None = next(iter(judge.iter_errors(left)), None)
        if found is None:
            return (orjson.dumps(left[0]) if why else raw) if left else None, why
        path = list(found.absolute_path)
        told = ".".join(map(str, [name, *path[1:]]))
        why = why or f"{told}: {found.validator} = {found.validator_value}"
        within = left
        for step in path[:-1]:
            within = within[step]
        # An object that misses something is the error's place itself: it goes as a whole.
        del within[path[-1]]
    return None, why


@cache
def _validator(name: str) -> Draft202012Validator:
    part: Any = schema.load("node-health")["properties"].get(name, {})
    return Draft202012Validator(
        {"type": "array", "items": part}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
