"""How every process connects to the store (Redis or Valkey): one pinned set of options."""

from __future__ import annotations

from typing import Any, cast

import redis
from redis.asyncio import Redis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry as SyncRetry

from orion_contracts.address import read_password as read_password
from orion_contracts.address import store_url as store_url
from orion_contracts.errors import Misconfigured, StoreUnavailable
from orion_contracts.hotline import Hotline

SOCKET_TIMEOUT_S = 5.0
"""Longer than every blocking read of ours (at most 2 s)."""
MINIMUM_VERSION = (7, 0)


def _options(url: str, password: str, username: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "health_check_interval": 0,
        "protocol": 2,
        "driver_info": None,  # else CLIENT SETINFO at each connection, which our users may not
    }
    if not url.startswith("unix://"):
        options["socket_keepalive"] = True
    if password:
        options["password"] = password
    if username:
        options["username"] = username
    return options


class _Mended(AbstractConnection):
    """redis-py's connections; uvloop says RuntimeError where a transport has just closed."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """As in redis-py. Raises redis' ConnectionError, which is retried, in that case, too."""
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            await self.disconnect(nowait=True)
            raise StoreConnectionError(f"the connection was closed: {error}") from error


class _Tcp(_Mended, Connection): ...


class _Tls(_Mended, SSLConnection): ...


class _Unix(_Mended, UnixDomainSocketConnection): ...


_MENDED: dict[Any, Any] = {
    Connection: _Tcp, SSLConnection: _Tls, UnixDomainSocketConnection: _Unix,
}  # fmt: skip


def connect(address: str, password: str = "", username: str = "", *, retries: int = 3) -> Hotline:
    """An asyncio client. Commands are retried `retries` times: every call of ours is idempotent."""
    retry = Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.02), retries)
    url = store_url(address)
    options = _options(url, password, username)
    client = cast(Hotline, Hotline.from_url(url, retry=retry, **options))
    pool = client.connection_pool
    pool.connection_class = _MENDED[pool.connection_class]
    return client


def connect_sync(address: str, password: str = "", username: str = "") -> redis.Redis:
    """A blocking client for threads of their own (the worker's sign of life). Never retries."""
    url = store_url(address)
    options = _options(url, password, username)
    options |= {"socket_timeout": 2.0, "socket_connect_timeout": 2.0}
    never = SyncRetry(ExponentialWithJitterBackoff(), 0)
    return redis.Redis.from_url(url, retry=never, **options)


async def check_store(store: Redis) -> str:
    """Refuse what cannot keep our promise (old versions, Redis Cluster); returns the version."""
    try:
        info = await store.info("server")
    except ResponseError:
        return "unknown"  # fakeredis, or a user without INFO
    except RedisError as error:
        raise StoreUnavailable(f"the store does not answer: {error}") from error
    if info.get("redis_mode") == "cluster":
        raise Misconfigured(
            "this is a Redis Cluster: a step of the ledger touches several keys at once, which "
            "a cluster cannot do atomically. Use a standalone Redis or Valkey"
        )
    version = str(info.get("valkey_version") or info.get("redis_version", "0"))
    if tuple(int(p) for p in version.split(".")[:2] if p.isdigit()) < MINIMUM_VERSION:
        raise Misconfigured(f"the store is version {version}; use Redis 7.0 or later")
    return version
