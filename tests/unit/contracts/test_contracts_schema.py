"""The packaged schemas: valid themselves, compatible with the customer's, clear when broken."""

from __future__ import annotations

import copy
import json
from typing import Any

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from orion_contracts import schema
from orion_contracts.chunks import Chunk
from orion_contracts.config import DEFAULT_CONFIG, ClusterConfig, ModelConfig, NodeConfig
from orion_contracts.errors import InvalidRequest
from orion_contracts.health import (
    DiskModel,
    Engine,
    NodeHealth,
    Progress,
    ResidentModel,
    hash_to_wire,
)
from orion_contracts.messages import InferenceRequest, InferenceResponse

# The customer's two schemas, word for word (docs/INFERENCE-SETUP.md shows them too).
CUSTOMER_REQUEST: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "InferenceRequest",
    "type": "object",
    "required": ["version", "request_id", "model", "messages", "timestamp", "source"],
    "properties": {
        "version": {"type": "string", "const": "1.0"},
        "request_id": {"type": "string", "format": "uuid"},
        "model": {"type": "string", "minLength": 1},
        "messages": {"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["role", "content"],
            "properties": {
                "role": {"enum": ["user", "assistant", "system"]},
                "content": {"type": "string"}}}},
        "keep_alive_seconds": {"type": "integer", "minimum": 0, "default": 600},
        "callback": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "source": {"type": "string"}}}  # fmt: skip
CUSTOMER_RESPONSE: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "InferenceResponse",
    "type": "object",
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
        "source": {"type": "string"}}}  # fmt: skip
STAMP = "2026-01-01T00:00:00.000Z"
UUID = "123e4567-e89b-12d3-a456-426614174000"

text = st.text(max_size=20)
whole = st.integers(0, 2**53)
stamps = st.datetimes().map(lambda d: d.isoformat() + "Z")
unknown = st.dictionaries(
    st.text(min_size=1, max_size=8).map(lambda k: "x-" + k), st.none() | text | st.integers()
)


def theirs(name: str) -> Draft202012Validator:
    """The customer's schema, formats enforced."""
    found = {"request": CUSTOMER_REQUEST, "response": CUSTOMER_RESPONSE}[name]
    return Draft202012Validator(found, format_checker=Draft202012Validator.FORMAT_CHECKER)


@st.composite
def customer_requests(draw: st.DrawFn) -> dict[str, Any]:
    """What any producer who knows the customer's schema may send."""
    message = st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]), "content": text}
    )
    required: dict[str, st.SearchStrategy[Any]] = {
        "version": st.just("1.0"), "request_id": st.uuids().map(str),
        "model": st.text(min_size=1, max_size=20),
        "messages": st.lists(message, min_size=1, max_size=4), "timestamp": stamps, "source": text,
    }  # fmt: skip
    optional: dict[str, st.SearchStrategy[Any]] = {"keep_alive_seconds": whole, "callback": text}
    wire: dict[str, Any] = draw(st.fixed_dictionaries(required, optional=optional))
    return {**draw(unknown), **wire}


@st.composite
def our_responses(draw: st.DrawFn) -> InferenceResponse:
    """Any final of ours."""
    ours: dict[str, st.SearchStrategy[Any]] = {
        "response": text, "prompt_tokens": whole, "completion_tokens": whole,
        "load_duration_ms": whole, "total_duration_ms": whole, "error": text, "error_code": text,
        "error_status": st.integers(0, 599), "node": text, "attempt": whole, "finish_reason": text,
        "queue_ms": whole, "time_to_first_token_ms": whole,
        "tokens_per_second": st.floats(0, 1e6), "joules": st.floats(0, 1e6),
        "residency": st.sampled_from(["warm", "cold"]), "thinking": text,
        "status": st.sampled_from(["completed", "failed", "expired", "cancelled", "rejected"]),
        "tool_calls": st.just(({"function": {"name": "f"}},)), "context": st.just((1, 2)),
        "retry_after_ms": whole,
    }  # fmt: skip
    required = {
        "request_id": st.uuids().map(str), "model": text, "timestamp": stamps, "source": text,
    }  # fmt: skip
    values: dict[str, Any] = draw(st.fixed_dictionaries(required, optional=ours))
    return InferenceResponse(**values)


@pytest.mark.parametrize("name", schema.NAMES)
def test_schema_is_valid_itself(name: str) -> None:
    """Against the 2020-12 metaschema, which it names."""
    document = schema.load(name)

    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(document)


@pytest.mark.parametrize("name", ["request", "response"])
def test_ours_has_every_field_of_theirs_unchanged(name: str) -> None:
    """Only `role` grew; everything else of the customer's is there word for word."""
    ours = schema.load(f"inference.{name}")
    wanted = copy.deepcopy({"request": CUSTOMER_REQUEST, "response": CUSTOMER_RESPONSE}[name])
    if name == "request":
        found = ours["properties"]["messages"]["items"]
        assert found["required"] == ["role", "content"]
        assert set(found["properties"]["role"]["enum"]) >= {"user", "assistant", "system"}
        assert found["properties"]["content"] == {"type": "string"}
        del wanted["properties"]["messages"]

    assert ours["required"] == wanted["required"]
    assert ours["title"] == wanted["title"]
    assert wanted["properties"].items() <= ours["properties"].items()
    assert "additionalProperties" not in ours


@settings(max_examples=150, deadline=None)
@given(customer_requests())
def test_whatever_is_valid_for_the_customer_is_valid_for_us(wire: dict[str, Any]) -> None:
    """Unknown top-level fields included: they are ignored."""
    assert theirs("request").is_valid(wire)
    schema.check("inference.request", wire)
    request = InferenceRequest.from_wire(wire)

    assert request.request_id == wire["request_id"]
    assert set(InferenceRequest.unknown_fields(wire)) == {k for k in wire if k.startswith("x-")}
    assert InferenceRequest.from_wire(request.to_wire()) == request


@settings(max_examples=150, deadline=None)
@given(our_responses())
def test_whatever_we_answer_is_valid_for_the_customer(response: InferenceResponse) -> None:
    """And for us, and it survives the wire."""
    wire = orjson.loads(orjson.dumps(response.to_wire()))
    assert theirs("response").is_valid(wire), wire
    schema.check("inference.response", wire)

    assert InferenceResponse.from_wire(wire) == response


BASE: dict[str, Any] = {
    "version": "1.0", "request_id": UUID, "model": "m", "timestamp": STAMP, "source": "s",
    "messages": [{"role": "user", "content": "hi"}],
}  # fmt: skip
BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("version", {"version": "2.0"}),
    ("version", {"version": 1.0}),
    ("request_id", {"request_id": "not a uuid"}),
    ("request_id", {"request_id": 7}),
    ("model", {"model": ""}),
    ("model", {"model": None}),
    ("messages", {"messages": []}),
    ("messages", {"messages": "hi"}),
    ("messages.0", {"messages": ["hi"]}),
    ("messages.0", {"messages": [{"role": "user"}]}),
    ("messages.0.role", {"messages": [{"role": "root", "content": "x"}]}),
    ("messages.0.content", {"messages": [{"role": "user", "content": 5}]}),
    ("keep_alive_seconds", {"keep_alive_seconds": -1}),
    ("keep_alive_seconds", {"keep_alive_seconds": 1.5}),
    ("callback", {"callback": 5}),
    ("timestamp", {"timestamp": "yesterday"}),
    ("source", {"source": []}),
    ("stream", {"stream": "yes"}),
    ("priority", {"priority": "urgent"}),
    ("deadline_ms", {"deadline_ms": 0}),
    ("operation", {"operation": "train"}),
    ("options", {"options": []}),
    ("generate", {"generate": {"unknown": 1}}),
]


@pytest.mark.parametrize(("field", "change"), BROKEN)
def test_error_names_the_field(field: str, change: dict[str, Any]) -> None:
    """The message starts with the path of what is wrong."""
    with pytest.raises(InvalidRequest) as caught:
        schema.check("inference.request", {**BASE, **change})

    assert caught.value.field == field
    assert str(caught.value).startswith(field)


@pytest.mark.parametrize("field", CUSTOMER_REQUEST["required"])
def test_error_names_the_missing_field(field: str) -> None:
    """By name, since it has no path."""
    with pytest.raises(InvalidRequest, match=field):
        schema.check("inference.request", {k: v for k, v in BASE.items() if k != field})


@pytest.mark.parametrize("value", [600.0, 1e30, 10**30, 2**63])
def test_any_whole_number_is_a_keep_alive(value: float) -> None:
    """JSON Schema calls 600.0 and 1e30 integers: taken, and bounded to what an engine can count."""
    wire = orjson.loads(json.dumps({**BASE, "keep_alive_seconds": value, "deadline_ms": 5000.0}))
    schema.check("inference.request", wire)
    request = InferenceRequest.from_wire(wire)

    assert isinstance(request.keep_alive_seconds, int)
    assert 600 <= request.keep_alive_seconds < 2**31
    assert repr(request.deadline_ms) == "5000"
    assert orjson.dumps(request.to_wire())


def test_error_never_repeats_the_value() -> None:
    """Values may be huge or secret."""
    with pytest.raises(InvalidRequest) as caught:
        schema.check("inference.request", {**BASE, "priority": "secret" * 10_000})

    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_chunk_health_and_config_match_their_schemas() -> None:
    """What our classes write is valid, and reading it back gives the same value."""
    chunk = Chunk(request_id=UUID, attempt=1, seq=1, deltas=({"content": "x"},), timestamp=STAMP)
    schema.check("chunk", chunk.to_wire())
    health = NodeHealth(
        node="pi-8gb", incarnation="i1", timestamp=STAMP, slots=2, temperature_c=61.5,
        engine=Engine(reachable=True, version="0.30.0", settings={"num_parallel": 1}),
        memory_total_bytes=8 * 1024**3, memory_available_bytes=2 * 1024**3, node_class="8gb",
        resident=(ResidentModel(name="m", digest="d", size_bytes=5),),
        models=(DiskModel(name="m", capabilities=("completion",)),), loading=("n",),
        rates={"m": {"decode_tokens_per_second": 9.5}}, prompt_cache_bytes=0,
        progress=(
            Progress(request_id=UUID, state="decode", output_tokens=7, elapsed_s=0.5),
            Progress(request_id=UUID),
        ),
    )  # fmt: skip
    wire = hash_to_wire({k.encode(): v for k, v in health.to_hash().items()})
    schema.check("node-health", wire)
    assert NodeHealth.from_wire(wire) == health
    assert health.ram_used_percent == 75.0
    config = {"version": "1.0", "generation": 0, "timestamp": STAMP, "source": "s"}
    schema.check("config", config)
    assert ClusterConfig.from_wire(config) == DEFAULT_CONFIG


def test_defaults_of_the_configuration_are_the_customers() -> None:
    """Temperature above 75 °C and RAM above 90 % exclude, said once in code and once in schema."""
    thresholds = schema.load("config")["properties"]["thresholds"]["properties"]
    found = DEFAULT_CONFIG.thresholds

    assert (found.temperature_exclude_c, found.ram_exclude_percent) == (75, 90)
    for name, rule in thresholds.items():
        assert rule["default"] == getattr(found, name)
    routing = schema.load("config")["properties"]["routing"]["properties"]
    for name, rule in routing.items():
        assert rule.get("default") == getattr(DEFAULT_CONFIG.routing, name)


def test_configuration_of_boards_and_models_is_typed() -> None:
    """What the operator writes comes out as values; a field that is not declared is refused."""
    board = {"class": "8gb", "slots": 2, "drain": "cordoned", "storage_bytes_per_second": 9e7}
    model = {"name": "m:1b", "nodes": ["a"], "aliases": ["m"], "keep_alive_seconds": 60}
    wire = {"version": "1.0", "generation": 3, "timestamp": STAMP, "source": "s"}
    wire = wire | {"nodes": {"a": board}, "models": [model]}
    schema.check("config", wire)
    config = ClusterConfig.from_wire(wire)

    assert config.node("a") == NodeConfig(
        node_class="8gb", slots=2, drain="cordoned", storage_bytes_per_second=9e7
    )
    assert config.node("b") == NodeConfig()
    assert config.models == (
        ModelConfig(name="m:1b", nodes=("a",), aliases=("m",), keep_alive_seconds=60),
    )
    misspelt: list[dict[str, Any]] = [
        {"nodes": {"a": {"slot": 1}}},
        {"models": [{"name": "m", "node": ["a"]}]},
    ]
    for wrong in misspelt:
        with pytest.raises(InvalidRequest):
            schema.check("config", wire | wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"temperature_c": 1e300}, {"temperature_c": -300}, {"memory_total_bytes": 10**30},
     {"disk_free_bytes": 2**62}, {"slots": 10**9}, {"load_1m": 1e300},
     {"resident": [{"name": "m", "context_length": 2**40}]}],
    ids=str,
)  # fmt: skip
def test_no_board_has_such_numbers(wrong: dict[str, Any]) -> None:
    """Whoever reads a report reckons with its numbers and prints them."""
    sound = {
        "version": "1.0", "node": "a", "incarnation": "i", "timestamp": "2026-01-01T00:00:00Z",
        "source": "s", "slots": 1, "running": 0, "waiting": 0, "engine": {"reachable": True},
    }  # fmt: skip
    schema.check("node-health", sound)
    with pytest.raises(InvalidRequest):
        schema.check("node-health", sound | wrong)
