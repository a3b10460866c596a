"""What can go wrong, by what the caller can do about it.

OrionError
├── InvalidRequest          the caller must change the request (names the field and the remedy)
│   ├── TooLarge            ... make it smaller
│   ├── LedgerRefused       ... send it under another id
│   └── UnknownModel        ... or name a model that some board has
├── Unavailable             the caller may try again later
│   ├── QueueFull           ... after retry_after_s
│   ├── QueueWait           ... when the queue is shorter
│   ├── NoNodeEligible      ... when a board is eligible again
│   └── StoreUnavailable    ... when the store answers again
├── EngineError             the engine failed; the ledger decides whether another board tries
│   ├── EngineRefused       it answered "not now" (503) or could not be reached; nothing was lost
│   ├── EngineCrashed       it died or broke the stream with this request
│   ├── EngineStalled       no token for longer than the budget allows
│   └── EngineRejected      it says the request itself is wrong (4xx): no board will do better
└── Misconfigured           an operator must change a setting (names it and the remedy)
"""

from __future__ import annotations


class OrionError(Exception):
    """Base of all our errors. `code` is stable and machine-readable; str() is for people."""

    code = "internal"
    http_status = 500


class InvalidRequest(OrionError):
    """The request is wrong. `field` names where, the text says the remedy."""

    code = "invalid_request"
    http_status = 400

    def __init__(self, text: str, field: str = "") -> None:
        super().__init__(text)
        self.field = field


class TooLarge(InvalidRequest):
    """A size limit was passed."""

    code = "too_large"
    http_status = 413


class LedgerRefused(InvalidRequest):
    """The ledger cannot take this request, and never will."""

    code = "ledger_refused"
    http_status = 409

    def __init__(self, why: object) -> None:
        super().__init__(
            f"the ledger cannot take this request; send it under a new request_id ({why})"[:1000],
            "request_id",
        )


class UnknownModel(InvalidRequest):
    """No board has the model. The text is Ollama's own."""

    code = "model_not_found"
    http_status = 404

    def __init__(self, model: str) -> None:
        super().__init__(f"model '{model}' not found", "model")
        self.model = model


class Unavailable(OrionError):
    """Not now."""

    code = "unavailable"
    http_status = 503

    def __init__(self, text: str, retry_after_s: int = 5) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class QueueFull(Unavailable):
    """The queue holds as much as it may."""

    code = "queue_full"


class QueueWait(Unavailable):
    """It would wait for a board longer than the configuration allows."""

    code = "queue_wait"


class NoNodeEligible(Unavailable):
    """No board may take work now, and the configuration says not to wait."""

    code = "no_node_eligible"


class StoreUnavailable(Unavailable):
    """The store does not answer, or lacks what we need."""

    code = "store_unavailable"


class EngineError(OrionError):
    """The board's engine failed. `status` is its HTTP status, or 0."""

    code = "engine_failed"
    http_status = 502

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class EngineRefused(EngineError):
    """Busy, or not reachable before any work began."""

    code = "engine_busy"
    http_status = 503


class EngineCrashed(EngineError):
    """Died, or ended its stream without `done`."""

    code = "engine_crashed"


class EngineStalled(EngineError):
    """Silent beyond its budget."""

    code = "engine_stalled"


class EngineRejected(EngineError):
    """The engine says the request itself is wrong."""

    code = "engine_rejected"


class Misconfigured(OrionError):
    """A setting is wrong; the text names it and the remedy."""

    code = "misconfigured"
