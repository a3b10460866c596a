"""Refusals and failures in Ollama's words."""

from typing import Final


class ApiError(Exception):
    """An answer that is not 200: its status and the text of its `error` field."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


# The two spaces are Ollama's.
QUEUE_FULL: Final = "server busy, please try again.  maximum pending requests exceeded"
RUNNER_KILLED: Final = "llama-server process has terminated: signal: killed"
RUNNER_STOPPED: Final = (
    "model runner has unexpectedly stopped, this may be due to resource limitations "
    "or an internal error, check ollama server logs for details"
)
NO_BATCH: Final = (
    "llama runner process has terminated: llama_init_from_model: n_batch and n_ubatch cannot both "
    "be zero\npanic: unable to create llama context"
)
RUNNER_FAILED: Final = "an error was encountered while running the model"
BODY_BY_STATUS: Final = {
    400: "invalid request",
    404: "model 'X' not found",
    429: "too many requests",
    499: "request canceled",
    500: RUNNER_STOPPED,
    503: QUEUE_FULL,
}


def model_not_found(name: str) -> ApiError:
    """404 as the handlers spell it."""
    return ApiError(404, f"model '{name}' not found")


def queue_full() -> ApiError:
    """503 of the scheduler's pending queue."""
    return ApiError(503, QUEUE_FULL)
