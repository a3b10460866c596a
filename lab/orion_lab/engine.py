"""What produces the tokens: a small protocol with two implementations, `canned` and `llama`."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation, as far as an engine cares."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Task:
    """One generation: either `messages`, or `prompt` to continue as it stands."""

    messages: tuple[Message, ...] = ()
    prompt: str | None = None
    num_predict: int = -1
    seed: int | None = None
    temperature: float = 0.8
    stop: tuple[str, ...] = ()
    format: object = None
    # Changes every token of an otherwise equal task: a board whose answers differ from its peers'.
    salt: str = ""

    @property
    def text(self) -> str:
        """The whole prompt as one string: what the prefix cache and the faults look at."""
        if self.prompt is not None:
            return self.prompt
        return "".join(f"<{message.role}>{message.content}\n" for message in self.messages)


class Generation(Protocol):
    """A running answer. Closing it frees what it holds, whether or not it was read to the end."""

    async def prompt_tokens(self) -> int:
        """Process the prompt; returns its length in tokens."""
        ...

    def tokens(self) -> AsyncIterator[str]:
        """The answer, token by token; may be iterated once, after the prompt."""
        ...

    @property
    def output_tokens(self) -> int:
        """Length of the answer so far in the model's own tokens."""
        ...

    @property
    def done_reason(self) -> str:
        """`stop` or `length`, valid once the tokens are exhausted."""
        ...

    async def aclose(self) -> None:
        """Stop generating and release the engine."""
        ...


class Engine(Protocol):
    """A source of generations, shared by every board of the process."""

    @property
    def name(self) -> str:
        """`canned` or `llama`."""
        ...

    def generate(self, task: Task) -> Generation:
        """Begin a generation; nothing is computed before its prompt is asked for."""
        ...

    def counted(self) -> dict[str, int]:
        """Prompt tokens that were computed and that were cached, where the engine knows."""
        ...

    def close(self) -> None:
        """Free the engine itself."""
        ...


class EngineError(Exception):
    """The engine failed; the text is what Ollama would report."""
