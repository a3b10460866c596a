"""What the store's errors are called towards clients (pure)."""

from __future__ import annotations

import re
from typing import Final

from redis.exceptions import BusyLoadingError, ResponseError

_OURS: Final = re.compile(r"\s*,?\s*(?:script: .*|(?:on )?@?user_function:\d+[.:]?)\s*", re.DOTALL)
"""Where in our functions it happened: of use in a log, of none to a client."""
LONGEST: Final = 200


def trouble(error: BaseException) -> str:
    """One sentence. A store that answers with an error is not one that does not answer."""
    said = reason(error)
    if isinstance(error, ResponseError | BusyLoadingError):
        return f"the store answers with an error: {said}"
    return f"the store does not answer: {said}"


def reason(error: BaseException) -> str:
    """The store's own words alone."""
    return _OURS.sub(" ", str(error)).strip()[:LONGEST]
