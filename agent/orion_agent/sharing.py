"""Model sharing of one worker: what it gives, and how it copies. See docs/adr/0007."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
from anyio import to_thread
from redis.asyncio import Redis
from starlette.routing import BaseRoute

from orion_agent.settings import Settings
from orion_agent.sharing_door import MIN_SECRET_CHARS, Door, derive
from orion_agent.sharing_fetch import Fetcher
from orion_agent.sharing_folder import Folder
from orion_agent.sharing_peers import read_peers
from orion_agent.sharing_plan import Copy, Peer
from orion_agent.sharing_relay import Relay
from orion_agent.sharing_serve import Shop
from orion_contracts.store import store_url

LOOK_AGAIN_S = 30.0
MIB = 1024 * 1024
logger = logging.getLogger("orion.worker.sharing")


class Sharing:
    """`url`: where other boards find us, for the report; empty while they do not."""

    def __init__(self, settings: Settings, secret: str, store: Redis, port: int) -> None:
        self._s, self._store, self._port = settings, store, port
        self._key = derive(secret)
        self._folder = Folder(Path(settings.models_dir or "/nonexistent"))
        door = Door(self._key, time.monotonic)
        self._shop = Shop(self._folder, door, settings.share_mib_per_second * MIB)
        self._relay = Relay(port)
        self.url = ""

    def routes(self) -> list[BaseRoute]:
        """What the worker's HTTP server serves for it."""
        return [*self._shop.routes(), *self._relay.routes()]

    async def announce(self) -> None:
        """Find out where others can reach us; until then, and without models, nowhere."""
        while not self.url:
            address = self._s.share_address or await to_thread.run_sync(_own_address, self._s)
            readable = await to_thread.run_sync(lambda: self._folder.readable)
            if address and readable:
                self.url = f"http://{address}:{self._port}"
                logger.info("models of this board are shared at %s", self.url)
                return
            await anyio.sleep(LOOK_AGAIN_S)

    async def peers(self) -> Mapping[str, Peer]:
        """The other boards. Raises redis' errors."""
        return await read_peers(self._store, self._s.node_id)

    @asynccontextmanager
    async def ticket(self, name: str, copy: Copy) -> AsyncGenerator[str]:
        """What our Ollama has to pull while this is open. Raises CopyFailed."""
        fetcher = Fetcher(copy.peer.url, self._key)
        try:
            manifest = await fetcher.manifest(name, copy.digest)
            with self._relay.open(manifest, fetcher) as reference:
                yield reference
        finally:
            with anyio.CancelScope(shield=True):
                await fetcher.aclose()


def make(settings: Settings, secret: str, store: Redis, port: int) -> Sharing | None:
    """None where it is off, with the reason in the log."""
    if settings.share_models != "on":
        return None
    host = urlsplit(settings.ollama_host).hostname or ""
    if host not in ("127.0.0.1", "localhost", "::1"):
        logger.warning("models are not shared: Ollama at %s cannot reach us at 127.0.0.1", host)
        return None
    if settings.http_host not in ("", "0.0.0.0", "::", "127.0.0.1", "localhost"):
        logger.warning("models are not shared: with --http-host our Ollama cannot reach us")
        return None
    if len(secret) < MIN_SECRET_CHARS:
        logger.warning(
            "models are not shared: the workers' password at the store is what proves that a board "
            "is one of ours, and has to have %d characters", MIN_SECRET_CHARS,
        )  # fmt: skip
        return None
    return Sharing(settings, secret, store, port)


def _own_address(settings: Settings) -> str:
    """The address from which we reach the store: other boards reach us there. Empty: loopback."""
    parts = urlsplit(store_url(settings.redis_addr))
    if not parts.hostname:
        return ""
    try:
        (family, *_, where), *_ = socket.getaddrinfo(
            parts.hostname, parts.port or 6379, type=socket.SOCK_DGRAM
        )
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(where)
            address = str(probe.getsockname()[0])
    except OSError as error:
        logger.warning("the way to the store is not known: %s", error)
        return ""
    if address.startswith("127.") or address == "::1":
        return ""
    return f"[{address}]" if ":" in address else address
