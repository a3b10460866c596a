"""Why the desk cannot serve a request by its id."""

from orion_contracts.errors import InvalidRequest


class IdReused(InvalidRequest):
    """The id (or Idempotency-Key) was used before for something else."""

    code = "id_reused"
    http_status = 422


class UnknownRequest(InvalidRequest):
    """The ledger knows no such request (any more)."""

    code = "request_not_found"
    http_status = 404


class AnswerExpired(InvalidRequest):
    """The request ended more than an hour ago; what it answered is not kept."""

    code = "answer_expired"
    http_status = 410
