"""The same call to an Ollama and to the gateway in front of it: the same status, media type, lines,
keys, texts, metrics and errors."""

from __future__ import annotations

import time
from typing import Any

import pytest

from parity.parity_sides import MODEL, Sides, impression

SAY = [{"role": "user", "content": "What is the capital of France?"}]
FIXED = {"temperature": 0, "seed": 1, "num_predict": 4}
NOPE = "no-such-model"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}

SAME: dict[str, tuple[str, Any]] = {
    "chat streamed": ("/api/chat", {"model": MODEL, "messages": SAY, "options": FIXED}),
    "chat whole": (
        "/api/chat", {"model": MODEL, "messages": SAY, "options": FIXED, "stream": False}),
    "chat load": ("/api/chat", {"model": MODEL, "messages": []}),
    "generate streamed": ("/api/generate", {"model": MODEL, "prompt": "Hi", "options": FIXED}),
    "generate whole": (
        "/api/generate", {"model": MODEL, "prompt": "Hi", "options": FIXED, "stream": False}),
    "generate raw": (
        "/api/generate", {"model": MODEL, "prompt": "Hi", "options": FIXED, "raw": True}),
    "generate load": ("/api/generate", {"model": MODEL}),
    "chat unload": ("/api/chat", {"model": MODEL, "keep_alive": 0}),
    "embed one": ("/api/embed", {"model": MODEL, "input": "Hi"}),
    "embed cut": ("/api/embed", {"model": MODEL, "input": ["a", "b"], "dimensions": 4}),
    "embed nothing": ("/api/embed", {"model": MODEL}),
    "openai chat streamed": (
        "/v1/chat/completions",
        {"model": MODEL, "messages": SAY, "max_tokens": 4, "temperature": 0, "seed": 1,
         "stream": True, "stream_options": {"include_usage": True}}),
    "openai chat whole": (
        "/v1/chat/completions",
        {"model": MODEL, "messages": SAY, "max_tokens": 4, "temperature": 0, "seed": 1}),
    "unknown model": ("/api/chat", {"model": NOPE, "messages": SAY}),
    "unknown model, generate": ("/api/generate", {"model": NOPE, "prompt": "Hi"}),
    "unknown model, embed": ("/api/embed", {"model": NOPE, "input": "Hi"}),
    "unknown model, show": ("/api/show", {"model": NOPE}),
    "unknown model, openai": ("/v1/chat/completions", {"model": NOPE, "messages": SAY}),
    "no model": ("/api/chat", {"messages": SAY}),
    "no model, show": ("/api/show", {}),
    "no body": ("/api/chat", b""),
    "no thinker": ("/api/chat", {"model": MODEL, "messages": SAY, "think": True}),
    "no tools": ("/api/chat", {"model": MODEL, "messages": SAY, "tools": [TOOL]}),
    "bad keep_alive": ("/api/chat", {"model": MODEL, "messages": SAY, "keep_alive": "300"}),
    "bad input": ("/api/embed", {"model": MODEL, "input": 5}),
    "openai no messages": ("/v1/chat/completions", {"model": MODEL}),
}  # fmt: skip
REAL_ONLY: dict[str, tuple[str, Any]] = {
    "completions streamed": (
        "/v1/completions",
        {"model": MODEL, "prompt": "Hi", "max_tokens": 4, "temperature": 0, "stream": True}),
    "completions whole": (
        "/v1/completions", {"model": MODEL, "prompt": "Hi", "max_tokens": 4, "temperature": 0}),
    "openai embeddings": ("/v1/embeddings", {"model": MODEL, "input": ["a", "b"]}),
    "openai base64": (
        "/v1/embeddings", {"model": MODEL, "input": "a", "encoding_format": "base64"}),
    "openai bad encoding": (
        "/v1/embeddings", {"model": MODEL, "input": "a", "encoding_format": 5}),
    "openai unknown model": ("/v1/completions", {"model": NOPE, "prompt": "Hi"}),
    "openai image url": (
        "/v1/chat/completions",
        {"model": MODEL, "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "http://x/y.png"}}]}]}),
    "raw with a system": (
        "/api/generate", {"model": MODEL, "prompt": "Hi", "raw": True, "system": "x"}),
    "suffix": ("/api/generate", {"model": MODEL, "prompt": "Hi", "suffix": "x"}),
    "bad think": ("/api/chat", {"model": MODEL, "messages": SAY, "think": "hard"}),
    "bad top_logprobs": ("/api/chat", {"model": MODEL, "messages": SAY, "top_logprobs": 21}),
    "json format": (
        "/api/chat",
        {"model": MODEL, "messages": SAY, "options": FIXED, "format": "json", "stream": False}),
}  # fmt: skip
OTHER_WORDS = {"openai bad encoding", "bad think"}
"""Refused alike, in words of one's own: Go names its own types."""
READ = {
    "root": "/", "version": "/api/version", "nothing": "/api/nothing", "models": "/v1/models",
    "model": f"/v1/models/{MODEL}", "unknown model": f"/v1/models/{NOPE}", "method": "/api/chat",
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_posts_answer_alike(sides: Sides, name: str) -> None:
    """Status, media type, every line's keys and values, times and ids aside."""
    path, body = SAME[name]

    assert impression(sides.gateway, "POST", path, body) == impression(
        sides.direct, "POST", path, body
    )


@pytest.mark.parametrize("name", REAL_ONLY)
def test_what_only_a_real_engine_answers_alike(sides: Sides, name: str) -> None:
    """The same, where the simulated board knows no such endpoint or says it in fewer words."""
    if not sides.real:
        pytest.skip("only against a real engine")
    path, body = REAL_ONLY[name]
    ours = impression(sides.gateway, "POST", path, body)
    theirs = impression(sides.direct, "POST", path, body)

    if name in OTHER_WORDS:
        assert (ours.status, ours.media_type) == (theirs.status, theirs.media_type)
    else:
        assert ours == theirs


@pytest.mark.parametrize("name", READ)
def test_gets_answer_alike(sides: Sides, name: str) -> None:
    """Metadata, unknown paths and wrong methods."""
    if not sides.real and name not in ("root", "version", "models"):
        pytest.skip("only against a real engine")
    ours, theirs = (
        impression(url, "GET", READ[name], None) for url in (sides.gateway, sides.direct)
    )

    assert ours == theirs


def test_tags_and_ps_hold_the_same_models(sides: Sides) -> None:
    """Every field that the engine gives; ours also names the boards and the capabilities."""
    load = {"model": MODEL, "keep_alive": 600}
    impression(sides.direct, "POST", "/api/generate", load)
    for path in ("/api/tags", "/api/ps"):
        theirs = impression(sides.direct, "GET", path, None).parts[0]["models"]
        wanted = [{**m, **({"size_vram": 0} if "size_vram" in m else {})} for m in theirs]

        assert _until_alike(sides, path, wanted) == wanted


def _until_alike(sides: Sides, path: str, wanted: list[Any]) -> list[Any]:
    """What the gateway lists, without fields of its own; it follows within a health interval."""
    deadline = time.monotonic() + 12
    while True:
        models: list[Any] = impression(sides.gateway, "GET", path, None).parts[0]["models"]
        shared = [
            {key: value for key, value in mine.items() if key in other}
            for mine, other in zip(models, wanted, strict=False)
        ]
        if shared == wanted or time.monotonic() > deadline:
            return shared
        time.sleep(0.2)


@pytest.mark.parametrize(
    "options", [{"temperature": "hot"}, {"num_ctx": "many"}, {"stop": "x"}], ids=str
)
def test_a_bad_option_has_the_same_words_and_a_better_status(sides: Sides, options: Any) -> None:
    """Ollama calls it a 500, which OpenAI's client would repeat; the fault is the caller's: 400."""
    body = {"model": MODEL, "messages": SAY, "options": options}
    ours = impression(sides.gateway, "POST", "/api/chat", body)
    theirs = impression(sides.direct, "POST", "/api/chat", body)

    assert ours.parts == theirs.parts
    assert (ours.status, theirs.status) == (400, 500)
