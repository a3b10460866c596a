"""All that another module of ORION knows: the two schemas of requirements.md, and two commands.

Nothing here is taken from our own code: the schemas are the customer's, word for word.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, cast

import redis
from jsonschema import Draft202012Validator

REQUESTS = "orion:inference:requests"
DEAD = "orion:inference:dead"
MODEL = "smollm2:135m"

REQUEST_SCHEMA = json.loads("""
{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "InferenceRequest", "type": "object",
 "required": ["version", "request_id", "model", "messages", "timestamp", "source"],
 "properties": {
  "version": {"type": "string", "const": "1.0"},
  "request_id": {"type": "string", "format": "uuid"},
  "model": {"type": "string", "minLength": 1},
  "messages": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["role", "content"],
    "properties": {"role": {"enum": ["user", "assistant", "system"]}, "content": {"type": "string"}}}},
  "keep_alive_seconds": {"type": "integer", "minimum": 0, "default": 600},
  "callback": {"type": "string"},
  "timestamp": {"type": "string", "format": "date-time"},
  "source": {"type": "string"}}}
""")  # noqa: E501
RESPONSE_SCHEMA = json.loads("""
{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "InferenceResponse", "type": "object",
 "required": ["version", "request_id", "model", "timestamp", "source"],
 "properties": {
  "version": {"type": "string", "const": "1.0"},
  "request_id": {"type": "string", "format": "uuid"},
  "model": {"type": "string"},
  "response": {"type": "string"},
  "prompt_tokens": {"type": "integer", "minimum": 0},
  "completion_tokens": {"type": "integer", "minimum": 0},
  "load_duration_ms": {"type": "integer", "minimum": 0},
  "total_duration_ms": {"type": "integer", "minimum": 0},
  "error": {"type": "string"},
  "timestamp": {"type": "string", "format": "date-time"},
  "source": {"type": "string"}}}
""")  # noqa: E501

Document = dict[str, Any]
Fields = dict[str, bytes | str]


def _validator(schema: Document) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


REQUEST, RESPONSE = _validator(REQUEST_SCHEMA), _validator(RESPONSE_SCHEMA)


def fresh_id() -> str:
    """A new request id."""
    return str(uuid.uuid4())


def request(**changes: Any) -> Document:
    """A request with every field that the customer names; `changes` replace or add some."""
    request_id = changes.pop("request_id", None) or fresh_id()
    return {
        "version": "1.0",
        "request_id": request_id,
        "model": MODEL,
        "messages": [{"role": "user", "content": f"Where is the charger? {request_id}"}],
        "keep_alive_seconds": 600,
        "callback": f"navigation:answers:{request_id}",
        "timestamp": "2026-01-31T12:00:00Z",
        "source": "orion-navigation",
        **changes,
    }


class Producer:
    """XADD a request, XREAD its answer."""

    def __init__(self, store: redis.Redis) -> None:
        self.store = store

    def add(self, what: Document | bytes, stream: str = REQUESTS, field: str = "payload") -> str:
        """One entry with a document, or any bytes; the entry's id."""
        raw = what if isinstance(what, bytes) else json.dumps(what).encode()
        return self.add_fields({field: raw}, stream)

    def add_fields(self, fields: Fields, stream: str = REQUESTS) -> str:
        """One entry with any fields; the entry's id."""
        return cast(bytes, self.store.xadd(stream, cast(Any, fields))).decode()

    def entries(self, stream: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """All entries of a stream."""
        found: Any = self.store.xrange(stream)
        return list(found)

    def answers(self, callback: str) -> list[Document]:
        """The finals on a callback stream, each valid under the customer's schema."""
        if self.store.type(callback) != b"stream":
            return []
        entries = self.entries(callback)
        found = [json.loads(f[b"payload"]) for _, f in entries if f.get(b"type") == b"final"]
        for each in found:
            RESPONSE.validate(each)
        return found

    def wait(self, callback: str, within_s: float = 15.0, count: int = 1) -> Document:
        """The last of `count` finals; raises TimeoutError."""
        deadline = time.monotonic() + within_s
        while len(found := self.answers(callback)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer on {callback} within {within_s} s")
            time.sleep(0.005)
        return found[-1]

    def dead(self) -> list[dict[str, str]]:
        """The dead letters, newest first."""
        entries = cast(Any, self.store.xrevrange(DEAD, count=400))
        return [{k.decode(): v.decode(errors="replace") for k, v in f.items()} for _, f in entries]

    def wait_dead(self, name: str, value: str, within_s: float = 10.0) -> dict[str, str]:
        """The dead letter whose field `name` is `value`; raises TimeoutError."""
        deadline = time.monotonic() + within_s
        while True:
            for letter in self.dead():
                if letter.get(name) == value:
                    return letter
            if time.monotonic() > deadline:
                raise TimeoutError(f"no dead letter with {name}={value}")
            time.sleep(0.005)

    def is_settled(self, entry: str, stream: str) -> bool:
        """Whether the entry is gone from its stream."""
        return not cast(Any, self.store.xrange(stream, entry, entry))


def node_stream(node: str) -> str:
    """A board's own stream."""
    return f"{REQUESTS}:{node}"
