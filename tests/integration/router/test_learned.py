"""What routers learn is kept in a real store, with no more rights than a router has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from orion_contracts import keys
from orion_contracts.ledger import library_source
from orion_contracts.prefix_key import usable
from orion_contracts.store import connect_sync
from orion_lab.stores import KINDS, Kind, StoreProcess
from orion_router.learned_store import Document
from orion_router.parts import running
from orion_router.settings import Settings
from servers.needs import demand
from servers.users import PASSWORDS, client_of, server_with_users

SETTINGS = Settings.read(["--router-id", "r1"], {})
WITHIN_S = 20
pytestmark = pytest.mark.integration


@pytest.fixture(params=KINDS)
def process(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreProcess]:
    """A store under the users of a deployment, with the operator's library."""
    kind: Kind = request.param
    demand(kind)
    with server_with_users(kind, tmp_path / "store") as server:
        address = f"127.0.0.1:{server.port}"
        with connect_sync(address, PASSWORDS["operator"], "operator") as operator:
            operator.function_load(library_source(), replace=True)
        yield server


async def test_the_next_router_takes_what_the_last_one_learned(process: StoreProcess) -> None:
    """Saved and loaded as the user `router`; the prompts' key is made once and read by workers;
    by the store's own account nothing was refused."""
    loaded: list[object] = []
    document = Document(lambda: {"m": 41.5}, loaded.append)
    prefix_keys: list[bytes] = []
    for life in ("first", "second"):
        async with running(SETTINGS, lambda: client_of(process, "router")) as router:
            router.learned.documents = lambda: {"rates:pi-a": document}
            with anyio.fail_after(WITHIN_S), process.client() as admin:
                while not (admin.exists(keys.learned("rates:pi-a")) and router.watch.prefix_key):  # noqa: ASYNC110
                    await anyio.sleep(0.05)
                while life == "second" and not loaded:  # noqa: ASYNC110
                    await anyio.sleep(0.05)
            prefix_keys.append(router.watch.prefix_key)
    worker: Any = client_of(process, "worker")
    async with worker:
        prefix_keys.append(usable(await worker.get(keys.LEARNED_KEY)))
    with process.client() as admin:
        refused: Any = admin.acl_log()

    assert loaded == [{"m": 41.5}]
    assert len(prefix_keys[0]) == 16
    assert len(set(prefix_keys)) == 1
    assert refused == []
