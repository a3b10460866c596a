"""`orion chat`: one answer, or a conversation, streamed token by token from the gateway."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from orion_cli import gateway
from orion_cli.answering import Answer
from orion_cli.problem import INTERRUPTED, USAGE, Problem
from orion_cli.terminal import console

Options = Mapping[str, float | None]
"""Ollama's names of options; None: not given."""


@dataclass
class Conversation:
    """What was said so far, with whom."""

    http: httpx.Client
    model: str
    options: Options
    messages: list[dict[str, str]] = field(default_factory=list[dict[str, str]])


def run(prompt: str, model: str, url: str, system: str, options: Options) -> int:
    """One prompt, or as many as a person types; the exit code."""
    with gateway.client(url, read_s=None) as http:
        talk = Conversation(http, model or default_model(http), options)
        if system:
            talk.messages.append({"role": "system", "content": system})
        if prompt == "-" or (not prompt and not sys.stdin.isatty()):
            prompt = sys.stdin.read().strip()
            if not prompt:
                raise Problem("the prompt is empty", 'write: orion chat "your question"', USAGE)
        if not prompt:
            return _converse(talk)
        try:
            ask(talk, prompt)
        except KeyboardInterrupt:
            return INTERRUPTED
        return 0


def default_model(http: httpx.Client) -> str:
    """The first model that the boards have on disk."""
    models = cast(list[dict[str, Any]], gateway.fetch(http, "/api/tags").get("models", []))
    if not models:
        raise Problem(
            "no board has a model yet",
            "wait for the boards (`orion status`), or on a board run: ollama pull smollm2:135m",
        )
    return str(models[0]["name"])


def _converse(talk: Conversation) -> int:
    quiet = console(stderr=True)
    quiet.print(f"{talk.model} · Ctrl-D ends, Ctrl-C stops an answer", style="dim")
    while True:
        try:
            prompt = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            quiet.print()
            return 0
        if not prompt:
            continue
        kept = len(talk.messages)
        try:
            ask(talk, prompt)
        except KeyboardInterrupt:
            del talk.messages[kept:]
            quiet.print("stopped", style="dim")
        except Problem as problem:
            del talk.messages[kept:]
            quiet.print(f"{problem.text}\n{problem.remedy}".strip(), style="red", soft_wrap=True)


def ask(talk: Conversation, prompt: str) -> None:
    """Print the answer as it comes, and remember it. Problem where it fails."""
    talk.messages.append({"role": "user", "content": prompt})
    body: dict[str, Any] = {"model": talk.model, "messages": talk.messages, "stream": True}
    if given := {name: value for name, value in talk.options.items() if value is not None}:
        body["options"] = given
    text, note = Answer(talk.http, body, str(uuid.uuid4())).print()
    talk.messages.append({"role": "assistant", "content": text})
    console(stderr=True).print(note, style="dim", soft_wrap=True)
