"""What is said to llama.cpp's server object and what it says back."""

from dataclasses import dataclass, replace
from typing import Any, Final

from orion_lab.engine import Message, Task

_CHARS_THAT_FIT: Final = 8000
# A model this small repeats itself sooner than it stops; an answer without a limit gets one.
_UNLIMITED_TOKENS: Final = 512
# The template's own default system prompt makes this model answer in French.
_SYSTEM: Final = Message("system", "You are a helpful AI assistant.")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of the answer, with the counts so far."""

    text: str
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    """Of the prompt, those that the engine found in its cache (`cache_n`)."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of the answer, or what went wrong."""

    reason: str
    output_tokens: int = 0
    error: str = ""


def request_body(task: Task) -> dict[str, Any]:
    """The request, streamed and with counts on every chunk."""
    body: dict[str, Any] = {
        "stream": True,
        "timings_per_token": True,
        "max_tokens": task.num_predict if task.num_predict > 0 else _UNLIMITED_TOKENS,
        "temperature": task.temperature,
        "top_k": 40,
        "top_p": 0.9,
        "stop": list(task.stop),
    }
    if task.seed is not None:
        body["seed"] = task.seed
    if task.format == "json":
        body["response_format"] = {"type": "json_object"}
    elif task.format is not None:
        schema = {"schema": task.format}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if task.prompt is not None:
        return {**body, "prompt": task.prompt}
    messages = task.messages
    if messages[0].role != "system":
        messages = (_SYSTEM, *messages)
    return {**body, "messages": [{"role": each.role, "content": each.content} for each in messages]}


def shortened(task: Task) -> Task:
    """The task with only the end of its prompt, as Ollama truncates what does not fit."""
    if task.prompt is not None:
        return replace(task, prompt=task.prompt[-_CHARS_THAT_FIT:])
    last = task.messages[-1]
    return replace(task, messages=(replace(last, content=last.content[-_CHARS_THAT_FIT:]),))


def pieces(chunk: dict[str, Any]) -> list[Piece | End]:
    """What one chunk means."""
    if "error" in chunk:
        return [End("error", 0, str(chunk["error"].get("message", chunk["error"])))]
    if not chunk.get("choices"):
        return []
    choice = chunk["choices"][0]
    text = choice.get("text") or choice.get("delta", {}).get("content") or ""
    timings: dict[str, Any] = chunk.get("timings") or {}
    cached: int = timings.get("cache_n", 0)
    count: int = timings.get("prompt_n", 0) + cached
    output: int = timings.get("predicted_n", 0)
    found: list[Piece | End] = [Piece(text, count, output, cached)] if text else []
    if choice.get("finish_reason"):
        found.append(End(choice["finish_reason"], output))
    return found
