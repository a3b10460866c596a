"""Bodies into requests: Ollama's and OpenAI's fields, types, words, and nothing that crashes."""

from __future__ import annotations

import json
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orion_contracts import schema
from orion_contracts.errors import InvalidRequest, OrionError
from orion_contracts.messages import InferenceRequest
from orion_contracts.stamp import iso_now
from orion_router.gateway import ollama_in, openai_in
from orion_router.gateway.ask import Ask
from orion_router.gateway.durations import FOREVER_S, keep_alive_s
from orion_router.gateway.options import read_options
from unit.gateway.gateway_harness import CHAT, ID


@pytest.mark.parametrize(
    ("given_value", "seconds"),
    [
        (None, 600), (0, 0), (30, 30), (-1, FOREVER_S), ("5m", 300), ("1h30m", 5400),
        ("-1m", FOREVER_S), ("500ms", 1), ("0", 0), (1e300, FOREVER_S), (2.5, 3),
    ],
)  # fmt: skip
def test_keep_alive_is_whole_seconds(given_value: Any, seconds: int) -> None:
    """Numbers are seconds, text is a Go duration, negative is forever."""
    assert keep_alive_s(given_value) == seconds


@pytest.mark.parametrize("value", ["300", "5 m", "", "m", True, [], {}, "1h" * 100])
def test_a_keep_alive_that_is_none_is_refused(value: Any) -> None:
    """In words that name the field."""
    with pytest.raises(InvalidRequest):
        keep_alive_s(value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"temperature": "hot"}, 'option "temperature" must be of type float32'),
        ({"num_ctx": "many"}, 'option "num_ctx" must be of type integer'),
        ({"seed": True}, 'option "seed" must be of type integer'),
        ({"seed": 1e30}, 'option "seed" must be of type integer'),
        ({"stop": "x"}, 'option "stop" must be of type array'),
        ({"stop": [1]}, 'option "stop" must be of an array of strings'),
        ({"use_mmap": 1}, 'option "use_mmap" must be of type boolean'),
    ],
)
def test_a_wrong_option_is_refused_in_ollamas_words(options: Any, text: str) -> None:
    """The type that it must have is named."""
    with pytest.raises(InvalidRequest, match=text):
        read_options(options)


def test_options_pass_and_nulls_do_not() -> None:
    """Unknown options are the engine's affair; null means not given."""
    assert read_options({"num_predict": 5.0, "top_k": None, "novel": "x"}) == {
        "num_predict": 5,
        "novel": "x",
    }


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "model is required"),
        ({"model": 5}, "cannot unmarshal number into Go struct field .model of type string"),
        ({"model": "m", "messages": {}}, "cannot unmarshal object"),
        ({"model": "m", "messages": [1]}, "cannot unmarshal number"),
        ({"model": "m", "messages": [{"role": "robot", "content": ""}]}, "messages.role"),
        ({"model": "m", "messages": [{"role": ["user"], "content": ""}]}, "cannot unmarshal array"),
        ({**CHAT, "stream": "yes"}, "cannot unmarshal string"),
        ({**CHAT, "think": "hard"}, "think must be"),
        ({**CHAT, "format": "xml"}, "invalid format"),
        ({**CHAT, "top_logprobs": 21}, "between 0 and 20"),
        ({"model": "m", "messages": [{"role": "user", "images": ["%"]}]}, "base64"),
    ],
)
def test_a_wrong_chat_is_refused(body: Any, text: str) -> None:
    """400 with the reason."""
    with pytest.raises(InvalidRequest) as caught:
        ollama_in.chat(body)
    assert text in str(caught.value)


def test_everything_ollama_knows_passes_through() -> None:
    """Think, format, tools, images, tool results."""
    tool = {"type": "function", "function": {"name": "f"}}
    messages: list[dict[str, Any]] = [
        {"role": "User", "content": "hi", "images": ["aGk="], "novel": 1},
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
        {"role": "tool", "content": "4", "tool_name": "f"},
    ]
    ask = ollama_in.chat(
        {"model": "m", "messages": messages, "think": "low", "format": {"type": "object"},
         "tools": [tool]}
    )  # fmt: skip

    assert ask.messages[0] == {"role": "user", "content": "hi", "images": ["aGk="]}
    assert ask.messages[1]["content"] == ""
    assert ask.messages[2]["tool_name"] == "f"
    assert (ask.think, ask.format, ask.tools) == ("low", {"type": "object"}, (tool,))


def test_openai_parameters_become_options() -> None:
    """As Ollama translates them, its own defaults included."""
    ask = openai_in.chat(
        {
            **CHAT,
            "max_completion_tokens": 9,
            "seed": 3,
            "stop": "END",
            "frequency_penalty": 0.5,
            "response_format": {"type": "json_schema", "json_schema": {"schema": {"a": 1}}},
            "reasoning_effort": "none",
            "n": 3,
            "logprobs": True,
        }
    )

    assert ask.options == {
        "temperature": 1.0, "top_p": 1.0, "seed": 3, "stop": ["END"], "frequency_penalty": 0.5,
        "num_predict": 9,
    }  # fmt: skip
    assert (ask.format, ask.think, ask.stream) == ({"a": 1}, False, False)


def test_openai_messages_in_parts_and_with_tools() -> None:
    """Text, data images, calls and their results."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    ask = openai_in.chat(
        {
            "model": "m",
            "messages": [
                {"role": "developer", "content": "be brief"},
                {"role": "user", "content": [{"type": "text", "text": "see"}, image]},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": "4"},
            ],
        }
    )

    assert [m["role"] for m in ask.messages] == ["system", "user", "user", "assistant", "tool"]
    assert ask.messages[2]["images"] == ["aGk="]
    assert ask.messages[3]["tool_calls"][0]["function"] == {"name": "f", "arguments": {"a": 1}}
    assert ask.messages[4]["tool_name"] == "f"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "user", "json", "5m", "m", "data:;base64,", "low", "\0"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["role", "content", "type", "text", "function", "name", "arguments",
                         "image_url", "url", "seed", "stop", "effort", "schema"]),
        inner, max_size=4,
    ),
    max_leaves=6,
)  # fmt: skip
FIELDS = st.sampled_from(
    ["messages", "prompt", "input", "stream", "options", "keep_alive", "think", "format", "tools",
     "images", "context", "raw", "suffix", "top_logprobs", "dimensions", "response_format", "stop",
     "reasoning", "reasoning_effort", "stream_options", "max_tokens", "encoding_format", "seed"]
)  # fmt: skip
READERS = (
    ollama_in.chat, ollama_in.generate, ollama_in.embed,
    openai_in.chat, openai_in.completion, openai_in.embeddings,
)  # fmt: skip


def _ask_or_refusal(read: Any, document: dict[str, Any]) -> Ask | OrionError:
    try:
        return cast(Ask, read(document))
    except OrionError as error:
        return error


@given(st.sampled_from(READERS), st.dictionaries(FIELDS, JSON, max_size=5), st.booleans())
@settings(max_examples=120, deadline=None)
def test_any_body_is_read_or_refused(read: Any, body: dict[str, Any], chatty: bool) -> None:
    """Whatever JSON comes: an error of ours, or a request that passes the contract's schema."""
    whole = {**(CHAT if chatty else {}), **body, "model": "m"}
    ask = _ask_or_refusal(read, orjson.loads(json.dumps(whole)))
    if isinstance(ask, OrionError):
        assert 400 <= ask.http_status < 500
        return
    request = InferenceRequest(
        request_id=ID, model=ask.model, messages=ask.messages, timestamp=iso_now(), source="t",
        keep_alive_seconds=ask.keep_alive_seconds, operation=ask.operation, stream=ask.stream,
        options=ask.options, tools=ask.tools, format=ask.format, think=ask.think,
        generate=ask.generate,
    )  # fmt: skip
    schema.check("inference.request", orjson.loads(orjson.dumps(request.to_wire())))
