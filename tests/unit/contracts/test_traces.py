"""Where an entry that cannot be parsed wants its answer."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import given

from orion_contracts import traces as module
from orion_contracts.entries import Refusal, read_entry
from orion_contracts.limits import Limits
from orion_contracts.traces import SCAN_BYTES, Traces, scan, traces

ID = "8c491cf8-3ad3-46c8-9684-7defd3757ac8"
OWN = f"orion:inference:responses:{ID}"
names = st.sampled_from(["request_id", "callback", "model", "messages", "a", ""])
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(names | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
looks_like_a_key = st.sampled_from(['"callback": "x"', '\\"', '","callback":"evil', "{[", "\\"])
documents = st.dictionaries(names, json_values | looks_like_a_key | st.text(), max_size=6)


@given(documents, st.booleans(), st.sampled_from([None, 1]))
def test_what_a_parser_reads_the_scan_reads(
    document: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    """Of a whole document: the same texts of the top level, and no others."""
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    wanted = {k: v for k, v in document.items() if k in ("request_id", "callback", "model")}

    assert scan(text.encode("utf-8", "surrogatepass")) == {
        name: value for name, value in wanted.items() if isinstance(value, str)
    }


@given(documents, st.data())
def test_a_beginning_tells_no_more_than_the_whole(
    document: dict[str, Any], data: st.DataObject
) -> None:
    """Wherever a document is cut off: nothing is read that the whole one does not say."""
    raw = json.dumps(document).encode()
    part = raw[: data.draw(st.integers(0, len(raw)))]

    assert scan(part).items() <= scan(raw).items()


@given(st.binary() | st.binary().map(lambda tail: b'{"callback":"mine",' + tail))
def test_noise_raises_nothing(raw: bytes) -> None:
    """Any bytes have an answer."""
    assert isinstance(traces(raw), Traces)


NESTED = b"[" * 5_000 + b"]" * 5_000
THEN = b'"],"callback":"mine"}'
UNPARSABLE: dict[str, tuple[bytes, str]] = {
    "a huge text before it": (b'{"messages":["' + b"x" * 11_000_000 + THEN, "mine"),
    "full of escapes": (b'{"messages":["' + b'\\n\\"' * 3_000_000 + THEN, "mine"),
    "an escape on the edge of a step": (
        b'{"a":"' + b"x" * (module.STEP_BYTES - 1) + b'\\"' + b'y","callback":"mine"}', "mine",
    ),
    "deep before it": (b'{"messages":' + NESTED + b',"callback":"mine"}', "mine"),
    "deep behind it": (b'{"callback":"mine","messages":' + NESTED * 100, "mine"),
    "cut off behind it": (b'{"callback":"mine","messages":[{"role":"us', "mine"),
    "cut off within it": (b'{"callback":"mine', ""),
    "a value that is no JSON": (b'{"keep_alive_seconds":NaN,"callback":"mine"}', "mine"),
    "a byte order mark": (b'\xef\xbb\xbf{"callback":"mine"}', "mine"),
    "twice": (b'{"callback":"first","callback":"mine"}', "mine"),
    "two documents": (b'{"a":1}{"callback":"mine"}', ""),
    "deeper down": (b'{"messages":[{"callback":"mine"}]', ""),
    "as a text": (b'{"messages":"\\"callback\\":\\"mine\\""', ""),
    "behind a stray quote": (b'{"messages":"he said "callback":"mine"","callback":"mine"}', ""),
    "behind a missing comma": (b'{"a":1 "callback":"mine"}', ""),
    "behind a control character": (b'{"a":"\0","callback":"mine"}', ""),
    "behind the bounds": (b'{"a":"' + b"x" * SCAN_BYTES + b'","callback":"mine"}', ""),
    "behind too many parts": (b'{"a":[' + b"1," * 200_000 + b'1],"callback":"mine"}', ""),
    "no object": (b'["callback","mine"]', ""),
    "reserved": (b'{"callback":"orion:inference:queue",', ""),
    "too long": (b'{"callback":"' + b"m" * 257 + b'",', ""),
    "no text": (b'{"callback":7,', ""),
}  # fmt: skip


@pytest.mark.parametrize("name", UNPARSABLE)
def test_a_callback_is_found_in_what_cannot_be_parsed(name: str) -> None:
    """Where it stands on the top level, behind nothing but JSON and within the bounds."""
    raw, callback = UNPARSABLE[name]

    assert traces(raw) == Traces("", callback, "")


@pytest.mark.parametrize("callback", ["orion:inference:queue", "two words", 7, None, ""])
def test_without_a_usable_callback_the_id_names_the_place(callback: object) -> None:
    """Parsed or not: the stream where an answer without callback lies."""
    document = {"request_id": ID, "callback": callback, "model": "m" * 300}
    raw = json.dumps(document).encode()

    assert traces(raw) == traces(raw, document) == Traces(ID, OWN, "m" * 200)


@pytest.mark.parametrize("limits", [Limits(body_bytes=200), Limits(depth=3)])
def test_too_large_and_too_deep_are_answered(limits: Limits) -> None:
    """An error response under its own id for its callback, and a bounded sample."""
    document = {"request_id": ID, "messages": [[[[[["x" * 300]]]]]], "callback": "mine"}
    refusal = read_entry({b"payload": json.dumps(document).encode()}, "router", limits)

    assert isinstance(refusal, Refusal)
    assert (refusal.request_id, refusal.callback) == (ID, "mine")
    final = orjson.loads(refusal.final)
    assert (final["status"], final["request_id"]) == ("rejected", ID)
    assert len(refusal.sample) <= 512


def test_the_stream_of_another_request_is_no_place_to_answer() -> None:
    """The request is refused for naming it; who sent it reads why on the stream of its own id."""
    other = f"orion:inference:responses:{ID.replace('8', '9')}"
    assert traces(b"", {"request_id": ID, "callback": other}).callback == OWN
