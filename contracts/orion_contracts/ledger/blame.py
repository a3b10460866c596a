"""Whose fault an error of the store is (pure): the store's for now, or the call's for ever."""

from __future__ import annotations

import re

from redis.exceptions import ResponseError

_CODE = re.compile(r"[A-Z]{2,}\b")
"""OOM, READONLY, MISCONF, NOREPLICAS, ... and "ACL failure": what an administrator can mend."""
_NO_RIGHTS = "The user executing the script"
_WITHIN_OURS = "user_function"


def is_lasting(error: BaseException) -> bool:
    """Whether the store would answer this call the same for ever: for what a key or an argument
    holds, or for a fault of our own functions. Repeating it would only block what comes next.

    The store's own states (full, read-only, loading, busy) and missing rights are none of these:
    redis-py has classes of its own for some, the others begin with a code.
    """
    if type(error) is not ResponseError:
        return False
    text = str(error)
    if text.startswith("WRONGTYPE"):
        return True
    mendable = _CODE.match(text) is not None or text.startswith(_NO_RIGHTS)
    return _WITHIN_OURS in text and not mendable
