"""What a request's URL says: an id in its path, a limit and a time in its query."""

from __future__ import annotations

import re

from starlette.requests import Request

from orion_contracts.errors import InvalidRequest
from orion_contracts.limits import is_request_id

MOST_WAIT_S = 600.0
MOST_LISTED = 1000
# Not left to int() and float(): they take 1_0, 1e2, nan and the digits of any script.
_WHOLE = re.compile(r"[0-9]{1,6}")
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")


def read_id(request: Request) -> str:
    """The id in the path. Raises InvalidRequest."""
    text = str(request.path_params["request_id"])
    if not is_request_id(text):
        raise InvalidRequest("the request id in the path must be a UUID", "request_id")
    return text


def read_limit(request: Request, most: int = MOST_LISTED) -> int:
    """How many to list. Raises InvalidRequest."""
    text = request.query_params.get("limit", "100")
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= most:
        raise InvalidRequest(f"limit: a whole number from 1 to {most}", "limit")
    return int(text)


def read_wait_s(request: Request) -> float:
    """How long to wait for the final. Raises InvalidRequest."""
    text = request.query_params.get("wait", "0")
    if not _DECIMAL.fullmatch(text) or float(text) > MOST_WAIT_S:
        raise InvalidRequest(f"wait: seconds from 0 to {MOST_WAIT_S:.0f}", "wait")
    return float(text)
