"""The store as the commands use it: a blocking client, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from orion_cli.problem import FAILED, UNREACHABLE, Problem
from orion_cli.state import StoreAddress
from orion_contracts.errors import Misconfigured
from orion_contracts.store import connect_sync

NAME_IT = "start it with `orion up`, or name another one with --redis-addr or ORION_REDIS_ADDR"
GIVE_PASSWORD = "give it with --redis-password-file or ORION_REDIS_PASSWORD"


@contextmanager
def opened(where: StoreAddress) -> Generator[redis.Redis]:
    """A client for the time of a `with`; what goes wrong inside becomes a Problem."""
    try:
        client = connect_sync(where.address, where.password, where.username)
    except Misconfigured as error:
        raise Problem(str(error)) from error
    with client:
        try:
            yield client
        except AuthenticationError as error:
            raise Problem(f"the store wants a password: {error}", GIVE_PASSWORD) from error
        except NoPermissionError as error:
            raise Problem(f"this store user may not do that: {error}", GIVE_PASSWORD) from error
        except (redis.ConnectionError, redis.TimeoutError) as error:
            text = f"no store answers at {shown(where)}: {error}"
            raise Problem(text, NAME_IT, UNREACHABLE) from error
        except RedisError as error:
            needs_password = "NOAUTH" in str(error)
            remedy = GIVE_PASSWORD if needs_password else "`orion doctor` says more"
            raise Problem(f"the store refuses: {error}", remedy, FAILED) from error


def shown(where: StoreAddress) -> str:
    """The address without a password in it."""
    scheme, separator, rest = where.address.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
