"""Sizes and names at the boundary: hostile input costs nothing and is told what to do."""

from __future__ import annotations

import json
import logging
import re
import time
import tracemalloc
from typing import Any, cast

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import given, settings

import orion_contracts.limits as limits_module
from orion_agent.settings import read_settings
from orion_contracts import keys, limits
from orion_contracts.entries import Entry, Refusal, read_entry
from orion_contracts.errors import InvalidRequest, TooLarge
from orion_contracts.limits import Limits, parse_json
from orion_contracts.telemetry import OneLineFormatter
from orion_router.settings import Settings

UUID = "123e4567-e89b-12d3-a456-426614174000"
OTHER = "123e4567-e89b-12d3-a456-426614174001"
BASE: dict[str, Any] = {
    "version": "1.0", "request_id": UUID, "model": "smollm2:135m", "source": "s",
    "timestamp": "2026-01-01T00:00:00Z", "messages": [{"role": "user", "content": "hi"}],
}  # fmt: skip


def raw(**change: Any) -> bytes:
    """A request's bytes, with fields replaced."""
    return json.dumps({**BASE, **change}).encode()


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


HOSTILE: list[tuple[str, bytes]] = [
    ("not valid JSON", b""),
    ("not valid JSON", b"not json"),
    ("not valid JSON", b'{"version": "1.0"'),
    ("not valid JSON", b'{"a": NaN}'),
    ("not valid JSON", b"\xff\xfe\x00"),
    ("not valid JSON", b'{"model": "\\ud800"}'),
    ("not valid JSON", b"[" * 100_000),
    ("JSON object", b"[]"),
    ("JSON object", b"null"),
    ("JSON object", b'"text"'),
    ("deeper", raw(options={"x": nested(40)})),
    ("bytes", b" " * (10 * 1024 * 1024 + 1)),
    ("version", raw(version="9")),
    ("model", raw(model="../../etc/passwd")),
    ("model", raw(model="a b")),
    ("model", raw(model="http://evil/x")),
    ("model", raw(model="x" * 201)),
    ("model", raw(model="a\n")),
    ("request_id", raw(request_id="")),
    ("request_id", raw(request_id="urn:uuid:" + UUID)),
    ("request_id", raw(request_id=UUID + "\n")),
    ("messages", raw(messages=[{"role": "user", "content": "x"}] * 1025)),
    ("messages", raw(messages=[{"role": "user", "content": "x" * 262_145}])),
    ("callback", raw(callback="orion:inference:queue")),
    ("callback", raw(callback="orion:inference:requests:pi-a")),
    ("callback", raw(callback=f"orion:inference:responses:{OTHER}")),
    ("callback", raw(callback="has space")),
    ("callback", raw(callback="x" * 257)),
    ("callback", raw(callback="line\nbreak")),
    ("callback", raw(callback="ümlaut")),
    ("options.num_batch: must be at least 1", raw(options={"num_batch": 0})),
    ("options.num_batch: must be at least 1", raw(options={"num_batch": -0.5})),
    ("options.num_thread: must be at most 64", raw(options={"num_thread": 100_000})),
]


@pytest.mark.parametrize(("word", "body"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_body_is_refused_with_a_reason(word: str, body: bytes) -> None:
    """InvalidRequest that names what is wrong; nothing else is ever raised."""
    with pytest.raises(InvalidRequest, match=word):
        limits.read_request(body)


@pytest.mark.parametrize(("word", "body"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_entry_becomes_a_refusal(word: str, body: bytes) -> None:
    """With a valid error answer, never to a reserved key, and a short sample."""
    refusal = read_entry({b"payload": body}, "test")

    assert isinstance(refusal, Refusal)
    assert word in refusal.why
    assert len(refusal.sample) <= 512
    assert orjson.loads(refusal.final)["status"] == "rejected"
    assert not refusal.callback or not limits.callback_problem(refusal.callback)


def test_options_that_an_engine_corrects_pass() -> None:
    """A context of 0, no threads, a wrong type: its own affair, and its own words."""
    for options in ({"num_ctx": 0, "num_batch": 1, "num_thread": 0}, {"num_batch": "x"}):
        assert limits.read_request(raw(options=options)).options == options


@pytest.mark.parametrize(
    "callback", ["", "my:replies", keys.responses(UUID), "orion:inference:responses:module-a", "x"]
)
def test_usable_callbacks_pass(callback: str) -> None:
    """Any printable key outside our names, our own answers' prefix included."""
    request = limits.read_request(raw(callback=callback))

    assert request.reply_stream == (callback or keys.responses(UUID))


@pytest.mark.parametrize("model", ["llama3.2", "llama3.2:1b-q4_0", "user/name:tag", "A" * 200])
def test_usable_models_pass(model: str) -> None:
    """Ollama's names."""
    assert limits.read_request(raw(model=model)).model == model


def test_limits_are_exact() -> None:
    """At the limit passes, one more does not."""
    small = Limits(body_bytes=1000, text_bytes=4, messages=2, model_chars=3, depth=4)
    two = [{"role": "user", "content": "é"}] * 2
    limits.read_request(raw(model="abc", messages=two), small)
    for change in (
        {"model": "abcd"}, {"messages": [*two, two[0]]},
        {"messages": [{"role": "user", "content": "ééx"}]}, {"x": nested(5)}, {"x": "x" * 1000},
    ):  # fmt: skip
        with pytest.raises(InvalidRequest):
            limits.read_request(raw(**{"model": "abc", "messages": two, **change}), small)
    assert limits.parse_json(orjson.dumps({"x": nested(3)}), small)


def test_too_large_is_told_apart() -> None:
    """HTTP answers 413 rather than 400."""
    with pytest.raises(TooLarge):
        limits.read_request(b" " * 20, Limits(body_bytes=10))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")))
def test_any_bytes_are_an_entry_or_a_refusal(body: bytes) -> None:
    """A consumer never crashes on what a producer wrote."""
    assert isinstance(read_entry({b"payload": body}, "test"), Entry | Refusal)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted([*BASE, "callback", "options", "generate", "stream"])), json_values)
def test_any_value_in_any_field_is_an_entry_or_a_refusal(field: str, value: Any) -> None:
    """The same where everything else is right."""
    body = json.dumps({**BASE, field: value}).encode()
    found = read_entry({b"payload": body}, "test")

    if isinstance(found, Refusal):
        assert orjson.loads(found.final)["error"]


PATTERNS: list[tuple[str, re.Pattern[str]]] = [
    (name, cast(re.Pattern[str], value))
    for name, value in vars(limits_module).items()
    if isinstance(value, re.Pattern)
]
ADVERSARIAL = [
    "a" * 100_000, "a/" * 50_000, "a:" * 50_000, ":" * 100_000, "a" * 99_999 + "\x00",
    "a." * 49_999 + "!", "0-" * 50_000, "-" * 100_000, "a" * 50_000 + ":" + "b" * 50_000 + " ",
]  # fmt: skip


@pytest.mark.parametrize(("name", "pattern"), PATTERNS, ids=dict(PATTERNS))
def test_no_pattern_is_slow(name: str, pattern: re.Pattern[str]) -> None:
    """100 kB of adversarial text take less than 50 ms of CPU."""
    for text in ADVERSARIAL:
        started = time.process_time()
        pattern.fullmatch(text)
        assert time.process_time() - started < 0.05, name


def test_deep_json_costs_little_memory() -> None:
    """Wide documents are walked without copying them for each level."""
    body = orjson.dumps({**BASE, "options": {"x": [[]] * 100_000}})
    tracemalloc.start()
    limits.parse_json(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 50_000_000


@pytest.mark.parametrize(
    "text", ["a\r\nb", "\x1b[31mred", "line\u2028sep", "nul\x00", "x" * 1_000_000, "\ud800", "\x85"]
)
def test_a_log_record_is_one_printable_line(text: str) -> None:
    """Log injection: whatever is logged, one line comes out, cut to size."""
    record = logging.LogRecord("orion", logging.INFO, "f", 1, "said %s", (text,), None)
    line = OneLineFormatter().format(record)

    assert line.isprintable()
    assert len(line) < 10_000
    assert len(line.splitlines()) == 1


def test_a_traceback_is_one_line_too() -> None:
    """Exceptions carry foreign text as well."""
    try:
        raise ValueError("bad\nthing\x1b")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
        record = logging.LogRecord("orion", logging.ERROR, "f", 1, "failed", (), info)

    assert OneLineFormatter().format(record).isprintable()


def test_a_body_of_very_many_parts_is_refused_before_it_is_parsed() -> None:
    """Ten megabytes of empty lists would become hundreds in memory; a long text passes."""
    many = b'{"x":[' + b",".join([b"[]"] * 1_000_000) + b"]}"
    text = b'{"x":"' + b"a," * 130_000 + b'"}'

    with pytest.raises(TooLarge, match="parts"):
        parse_json(many)
    assert len(parse_json(text)["x"]) == 260_000


def read_flags(program: str, argv: list[str], environ: dict[str, str]) -> Limits:
    """The limits of a router or a worker."""
    if program == "worker":
        return read_settings(["--node-id", "pi-1", *argv], environ).limits
    return Settings.read(["--router-id", "r1", *argv], environ).limits


@pytest.mark.parametrize("program", ["router", "worker"])
def test_routers_and_workers_spell_their_limits_alike(program: str) -> None:
    """One set of flags, variables and defaults for both."""
    assert read_flags(program, [], {}) == Limits()
    given = ["--max-body-bytes", "2048", "--max-prompt-bytes", "1024"]
    assert read_flags(program, given, {}) == Limits(body_bytes=2048, text_bytes=1024)
    variables = {"ORION_MAX_BODY_BYTES": "4096", "ORION_MAX_PROMPT_BYTES": "2048"}
    assert read_flags(program, [], variables) == Limits(body_bytes=4096, text_bytes=2048)
    with pytest.raises(SystemExit):
        read_flags(program, ["--max-body-bytes", "0"], {})
