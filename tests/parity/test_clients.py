"""The official clients, unmodified: the same results and the same exceptions on both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import ollama
import openai
import orjson
import pytest
from pydantic import BaseModel

from parity.parity_sides import MODEL, Sides, plain

SAY: Any = [{"role": "user", "content": "What is the capital of France?"}]
FIXED: Any = {"temperature": 0, "seed": 1, "num_predict": 4}
Call = Callable[[str], Any]
CLIENTS = ExitStack()
"""Closed after each test, by `close_clients`."""


@pytest.fixture(autouse=True)
def close_clients() -> Iterator[None]:
    """No connection outlives its test."""
    yield
    CLIENTS.close()


def native(url: str) -> ollama.Client:
    """Ollama's client."""
    client = ollama.Client(host=url, trust_env=False, timeout=300)
    CLIENTS.callback(client.close)
    return client


def other(url: str) -> openai.OpenAI:
    """OpenAI's client; it repeats nothing, so that the first answer is seen."""
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0, timeout=300)
    return CLIENTS.enter_context(client)


def ask_openai(url: str, **more: Any) -> Any:
    """The question in OpenAI's words."""
    client: Any = other(url)
    return client.chat.completions.create(model=MODEL, messages=SAY, max_tokens=4, seed=1, **more)


CALLS: dict[str, Call] = {
    "chat": lambda url: native(url).chat(MODEL, SAY, options=FIXED),
    "chat streamed": lambda url: list(native(url).chat(MODEL, SAY, options=FIXED, stream=True)),
    "generate": lambda url: native(url).generate(MODEL, "Hi", options=FIXED),
    "generate streamed": lambda url: list(
        native(url).generate(MODEL, "Hi", options=FIXED, stream=True)
    ),
    "embed": lambda url: native(url).embed(MODEL, "Hi"),
    "list": lambda url: [(m.model, m.size, m.digest) for m in native(url).list().models],
    "openai chat": lambda url: ask_openai(url, temperature=0),
    "openai chat streamed": lambda url: list(ask_openai(url, temperature=0, stream=True)),
    "openai models": lambda url: [m.id for m in other(url).models.list()],
}
ERRORS: dict[str, Call] = {
    "unknown model": lambda url: native(url).chat("nope", SAY),
    "unknown model, streamed": lambda url: list(native(url).chat("nope", SAY, stream=True)),
    "unknown model, show": lambda url: native(url).show("nope"),
    "no thinker": lambda url: native(url).chat(MODEL, SAY, think=True),
    "openai unknown model": lambda url: other(url).chat.completions.create(
        model="nope", messages=SAY
    ),
    "openai unknown model, streamed": lambda url: list(
        other(url).chat.completions.create(model="nope", messages=SAY, stream=True)
    ),
    "openai no messages": lambda url: other(url).chat.completions.create(model=MODEL, messages=[]),
}


def seen(value: Any) -> Any:
    """A client's result as plain data, times and ids aside."""
    if isinstance(value, list):
        return [seen(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, BaseModel):
        return type(value).__name__, plain(orjson.loads(value.model_dump_json()))
    return value


def raised(call: Call, url: str) -> tuple[str, int, str]:
    """The exception's class, status and text."""
    with pytest.raises((ollama.ResponseError, openai.APIError)) as caught:
        call(url)
    error: Any = caught.value
    return type(error).__name__, error.status_code, str(error)


@pytest.mark.parametrize("name", CALLS)
def test_results_are_the_same(sides: Sides, name: str) -> None:
    """Object for object, chunk for chunk."""
    assert seen(CALLS[name](sides.gateway)) == seen(CALLS[name](sides.direct))


@pytest.mark.parametrize("name", ERRORS)
def test_exceptions_are_the_same(sides: Sides, name: str) -> None:
    """Class, status and words."""
    assert raised(ERRORS[name], sides.gateway) == raised(ERRORS[name], sides.direct)


def test_a_bad_option_is_an_exception_with_the_same_words(sides: Sides) -> None:
    """Only the status is better than Ollama's own."""
    call: Call = lambda url: native(url).chat(MODEL, SAY, options={"temperature": "hot"})  # noqa: E731
    ours, theirs = raised(call, sides.gateway), raised(call, sides.direct)

    assert (ours[0], ours[1], theirs[1]) == (theirs[0], 400, 500)
    assert ours[2].partition(" (status")[0] == theirs[2].partition(" (status")[0]
