"""Reading JSON bodies with the refusals of Go's decoder, which clients see word for word."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import orjson

from orion_lab.errors import ApiError

_KINDS: Final[Mapping[type[object], str]] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "bool",
    list: "array",
}


def parse(data: bytes, go_type: str) -> dict[str, Any]:
    """The JSON object of a request that Ollama decodes into `go_type`.

    Raises:
        ApiError: 400, empty, cut short, not JSON or not an object.
    """
    if not data:
        raise ApiError(400, "missing request body")
    try:
        found: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        cut_short = error.pos >= len(data.decode(errors="replace"))
        raise ApiError(400, "unexpected EOF" if cut_short else error.msg) from None
    if not isinstance(found, dict):
        kind = _kind(found)
        raise ApiError(400, f"json: cannot unmarshal {kind} into Go value of type api.{go_type}")
    return cast("dict[str, Any]", found)


class Fields:
    """Typed access to the fields of one object; a missing or null field is its Go zero value."""

    def __init__(self, data: Mapping[str, Any], path: str) -> None:
        self._data, self._path = data, path

    def text(self, key: str) -> str:
        """A string.

        Raises:
            ApiError: 400 with Go's words, as for every other type.
        """
        value = self._data.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(key, value, "string")
        return value

    def mapping(self, key: str) -> Mapping[str, Any]:
        """An object."""
        value = self._data.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.wrong(key, value, "map[string]interface {}")
        return cast("dict[str, Any]", value)

    def array(self, key: str, go_type: str) -> Sequence[object]:
        """An array."""
        value = self._data.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.wrong(key, value, go_type)
        return cast("list[object]", value)

    def objects(self, key: str, go_type: str, item_type: str) -> list["Fields"]:
        """An array of objects."""
        found: list[Fields] = []
        for each in self.array(key, go_type):
            if not isinstance(each, dict):
                raise self.wrong(key, each, item_type)
            found.append(Fields(cast("dict[str, Any]", each), f"{self._path}.{key}"))
        return found

    def wrong(self, key: str, value: object, go_type: str) -> ApiError:
        """The refusal of a value of another type."""
        where = f"{self._path}.{key}"
        return ApiError(
            400,
            f"json: cannot unmarshal {_kind(value)} into Go struct field {where} of type {go_type}",
        )


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "object")
