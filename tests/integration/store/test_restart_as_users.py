"""A store under a deployment's users has everything again after it was killed."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from redis.exceptions import RedisError

from orion_contracts import keys
from orion_contracts.acl import NOBODY
from orion_contracts.ledger import library_source
from orion_contracts.store import connect_sync
from orion_lab.stores import KINDS, Kind, StoreProcess
from servers.needs import demand
from servers.users import PASSWORDS, server_with_users

pytestmark = pytest.mark.contract


def kept(store: StoreProcess) -> set[str]:
    """All keys, after a request was accepted and a transaction made, a SIGKILL and a restart."""
    with store:
        address = f"127.0.0.1:{store.port}"
        with connect_sync(address, PASSWORDS["operator"], "operator") as operator:
            operator.function_load(library_source(), replace=True)
        with store.client() as admin:
            admin.fcall("orion_planner", 0, "router-a", "")
            with admin.pipeline(transaction=True) as together:
                together.mset({"one": "1"})
                together.mset({"two": "2"})
                together.execute()
            admin.set("alone", "3")
        store.kill()
        store.start()
        with store.client() as admin:
            return {key.decode() for key in cast("list[bytes]", admin.keys("*"))}


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_store_has_what_functions_and_transactions_wrote(
    kind: Kind, tmp_path: Path
) -> None:
    """Servers replay their file as the user `default`, whom nobody can be."""
    demand(kind)

    assert {"one", "two", "alone", keys.PLANNER} <= kept(
        server_with_users(kind, tmp_path / "store")
    )


def test_this_test_would_see_a_default_user_without_rights(tmp_path: Path) -> None:
    """Such servers drop in silence what was written together (redis#14541)."""
    demand("redis7")
    store = server_with_users("redis7", tmp_path / "store")
    rules = tmp_path / "store" / "users.acl"
    rules.write_text(rules.read_text().replace(NOBODY, "user default off resetpass -@all"))

    assert not kept(store) & {"one", "two"}


def test_nobody_is_the_default_user(tmp_path: Path) -> None:
    """It has every right, and no way in: neither without a name nor with one."""
    demand("redis7")
    with server_with_users("redis7", tmp_path / "store") as store:
        for user, password in (("default", ""), ("default", "default"), ("", "")):
            with pytest.raises(RedisError, match=r"(?i)auth|password"):
                connect_sync(f"127.0.0.1:{store.port}", password, user).ping()
