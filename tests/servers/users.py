"""A real server with the access rules of a deployment, and clients of each of its users."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import redis.asyncio

from orion_contracts.acl import USERS, acl_file
from orion_lab.stores import Kind, StoreProcess
from servers.stores import Store

PASSWORDS: Mapping[str, str] = {user: f"secret-of-{user}" for user in USERS}
ADMIN = "administrator"
"""The test's own user: looks at everything, empties the store, plays no part in the system."""
WORKERS_CALLS = frozenset(
    f"orion_{name}"
    for name in ("take", "start", "emit", "finish", "release", "enlist", "beat", "report", "leave")
)


def server_with_users(kind: Kind, directory: Path) -> StoreProcess:
    """A server under `acl_file`; its own client is the administrator's. Not started yet."""
    directory.mkdir(parents=True, exist_ok=True)
    rules = directory / "users.acl"
    admin = f"user admin on >{ADMIN} ~* &* +@all\n"
    rules.write_text(acl_file(PASSWORDS) + admin)
    process = StoreProcess(kind, directory, config={"aclfile": f'"{rules.absolute()}"'})
    process.url = f"redis://admin:{ADMIN}@127.0.0.1:{process.port}"
    return process


def client_of(process: StoreProcess, user: str) -> redis.asyncio.Redis:
    """A client that logs in as one of the users."""
    return redis.asyncio.Redis(
        port=process.port, username=user, password=PASSWORDS.get(user, ""), protocol=2,
        driver_info=None,
    )  # fmt: skip


class EachAsItself(redis.asyncio.Redis):
    """The test looks and meddles as administrator; the ledger's functions are called by those who
    call them in a deployment, and the library is loaded by the operator."""

    users: dict[str, Any]
    as_one = False

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As whoever sends this command."""
        sender: Any = super()
        match args:
            case ("AUTH", *_):
                self.as_one = True  # as that user from now on
            case _ if self.as_one:
                pass
            case ("FCALL", name, *_):
                sender = self.users["worker" if name in WORKERS_CALLS else "router"]
            case (str(command), *_) if command.startswith("FUNCTION"):
                sender = self.users["operator"]
            case _:
                pass
        return await sender.execute_command(*args, **options)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """All of them."""
        for client in self.users.values():
            await client.aclose()
        await super().aclose(close_connection_pool)


def store_of_users(process: StoreProcess) -> Store:
    """The emptied store, every call of the ledger under the user that makes it."""
    with process.client() as client:
        client.flushall()

    def connect() -> redis.asyncio.Redis:
        client = cast(EachAsItself, EachAsItself.from_url(process.url))
        client.users = {user: client_of(process, user) for user in USERS}
        return client

    return Store(process.kind, connect, process.client, process)
