"""The words for what is wrong with the store."""

from __future__ import annotations

import pytest
from redis import exceptions as redis
from redis.exceptions import BusyLoadingError, ResponseError

from orion_router.store_words import trouble

WRONG = "Operation against a key holding the wrong kind of value"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ResponseError(f"WRONGTYPE {WRONG} script: orion_admit, on @user_function:46."),
            f"the store answers with an error: WRONGTYPE {WRONG}",
        ),
        (
            ResponseError("user_function:330: attempt to index a nil value script: f"),
            "the store answers with an error: attempt to index a nil value",
        ),
        (
            ResponseError("OOM command not allowed when used memory > 'maxmemory'."),
            "the store answers with an error: OOM command not allowed when used memory > "
            "'maxmemory'.",
        ),
        (
            BusyLoadingError("Redis is loading the dataset in memory"),
            "the store answers with an error: Redis is loading the dataset in memory",
        ),
        (
            redis.ConnectionError("Error 111 connecting to 127.0.0.1:6379. Connection refused."),
            "the store does not answer: Error 111 connecting to 127.0.0.1:6379. Connection "
            "refused.",
        ),
        (redis.TimeoutError("Timeout"), "the store does not answer: Timeout"),
    ],
)
def test_a_store_that_answers_is_not_called_silent(error: Exception, text: str) -> None:
    """And where in our functions it happened is not told to clients."""
    assert trouble(error) == text
