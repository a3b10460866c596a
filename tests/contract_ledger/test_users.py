"""What each user of the store may not do, on real servers, command by command."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.retry import Retry

from contract_ledger.kit import Bench, a_request
from orion_contracts import keys
from orion_contracts.acl import USERS
from orion_contracts.ledger import Ledger, ensure_library, library_source
from orion_lab.stores import StoreProcess
from servers.users import PASSWORDS, client_of

pytestmark = pytest.mark.contract
NOBODY = (
    "EVAL 'return_1' 0", "EVAL_RO 'return_1' 0", "EVALSHA 0123456789abcdef 0", "SCRIPT LOAD x",
    "SCRIPT FLUSH", "SCRIPT KILL", "FUNCTION DELETE orion", "FUNCTION FLUSH", "FUNCTION DUMP",
    "FUNCTION RESTORE x", "FUNCTION LIST", "FUNCTION KILL", "CONFIG SET appendonly no",
    "CONFIG REWRITE", "CONFIG RESETSTAT", "KEYS *", "SCAN 0", "RANDOMKEY", "DBSIZE", "MONITOR",
    "FLUSHALL", "FLUSHDB", "SHUTDOWN NOSAVE", "SAVE", "BGSAVE", "BGREWRITEAOF",
    "REPLICAOF 127.0.0.1 1", "SLAVEOF 127.0.0.1 1", "SYNC", "PSYNC x 0", "FAILOVER",
    "ACL LIST", "ACL SETUSER evil on nopass ~* +@all", "ACL GETUSER default", "ACL LOG",
    "ACL SAVE", "CLIENT LIST", "CLIENT KILL TYPE normal", "CLIENT PAUSE 1", "CLIENT NO-EVICT on",
    "CLUSTER INFO", "MODULE LIST", "SLOWLOG GET", "LATENCY DOCTOR",
    "MEMORY DOCTOR", "SELECT 1", "SWAPDB 0 1", "MIGRATE 127.0.0.1 1 k 0 1",
    "DUMP orion:inference:queue", "RESTORE k 0 x", "RENAME orion:inference:queue k",
    "COPY orion:inference:queue k", "MOVE orion:inference:queue 1", "SORT orion:inference:nodes",
    "OBJECT ENCODING orion:inference:queue", "TYPE orion:inference:queue",
    "XTRIM orion:inference:requests MAXLEN 0", "XGROUP DESTROY orion:inference:requests router",
    "XGROUP DELCONSUMER orion:inference:requests router x", "XGROUP SETID s g 0",
    "XSETID orion:inference:requests 9-9", "EXPIRE orion:inference:queue 1",
    "UNLINK orion:inference:queue", "APPEND orion:inference:bytes 1", "WAIT 0 1",
    "PUBLISH orion:else x", "SUBSCRIBE orion:else", "PSUBSCRIBE *", "GET private",
    "SET private x", "DEL private", "XADD orion:inference:private * a b",
)  # fmt: skip
RUN_TIME = ("FUNCTION LOAD x", "CONFIG GET *", "SET orion:inference:config {}",
            "DEL orion:inference:config")  # fmt: skip
OWN: dict[str, tuple[str, ...]] = {
    "router": (
        *RUN_TIME, "HSET orion:inference:node:pi a b", "HSET orion:inference:kept:pi a b",
        "SET orion:inference:drain:pi x", "SADD orion:inference:nodes x",
        "HSET orion:inference:incarnations pi x", "SET orion:inference:learned x",
        "XREAD STREAMS private 0", "XRANGE private - +",
    ),
    "worker": (
        *RUN_TIME, "XADD orion:inference:requests * a b",
        "XREADGROUP GROUP router x STREAMS orion:inference:requests >",
        "HSET orion:inference:planner epoch 9", "HSET orion:inference:clock offset 9",
        "XRANGE orion:inference:mailbox:r - +", "XRANGE orion:inference:dead - +",
        "HSET orion:inference:config:applied x 1", "XRANGE private - +",
        "HGETALL orion:inference:mailbox:r", "PUBLISH orion:inference:planner:beat 1",
        "SUBSCRIBE orion:inference:planner:beat", "SET orion:inference:learned:key x",
        "GET orion:inference:learned:outputs",
    ),
    "operator": (
        "GET orion:inference:learned:key", "DEL orion:inference:learned:key",
        "HGETALL orion:inference:req:x", "XRANGE orion:inference:responses:x - +",
        "XADD orion:inference:requests * a b", "XADD private * a b", "XRANGE private - +",
        "HSET orion:inference:node:pi a b", "ZREM orion:inference:queue x",
        "PUBLISH orion:inference:planner:beat 1", "CONFIG SET maxmemory-policy noeviction",
    ),
    "producer": (
        *RUN_TIME, "FCALL orion_version 0", "INFO", "TIME",
        "XRANGE orion:inference:requests - +", "XREAD STREAMS orion:inference:events 0",
        "XRANGE orion:inference:dead - +", "HGETALL orion:inference:req:x",
        "HGETALL orion:inference:node:pi", "XADD orion:inference:responses:x * a b",
        "XADD private * a b", "XDEL orion:inference:requests 1-1",
        "SMEMBERS orion:inference:nodes", "GET orion:inference:learned:key",
        "XREADGROUP GROUP router x STREAMS orion:inference:requests >",
    ),
    "probe": (
        *RUN_TIME, "INFO", "TIME", "FCALL orion_version 0", "XADD orion:inference:requests * a b",
    ),
}  # fmt: skip
COMMANDS = sorted({*NOBODY, *(command for own in OWN.values() for command in own)})
UNASKED = ("DEBUG SLEEP 0", "MODULE LOAD /x.so")
"""The servers refuse these to everybody before they look at rights."""


@pytest.mark.parametrize("command", COMMANDS)
def test_denied(users: StoreProcess, command: str) -> None:
    """The users that must not do this are refused it, for want of rights and nothing else."""
    said = {u: _said(users, u, command) for u, own in OWN.items() if command in (*NOBODY, *own)}

    assert said
    assert {u: e for u, e in said.items() if not isinstance(e, NoPermissionError)} == {}


@pytest.mark.parametrize("command", UNASKED)
def test_denied_if_the_server_allowed_it(users: StoreProcess, command: str) -> None:
    """By our rules, too."""
    with users.client() as client:
        untyped: Any = client
        verdicts = [untyped.execute_command("ACL DRYRUN", u, *command.split()) for u in OWN]

    assert all(b"no permissions" in verdict for verdict in verdicts), verdicts


def _login(process: StoreProcess, user: str = "", password: str = "") -> redis.Redis:
    """A client that tries once."""
    return redis.Redis(
        port=process.port, username=user or None, password=password or None, protocol=2,
        driver_info=None, retry=Retry(NoBackoff(), 0),
    )  # fmt: skip


def _said(process: StoreProcess, user: str, command: str) -> Any:
    """The store's answer or error. The command travels as it is: no client turns it into more."""
    with _login(process, user, PASSWORDS.get(user, "")) as client:
        untyped: Any = client
        try:
            return untyped.execute_command(*command.split())
        except RedisError as error:
            return error


@pytest.mark.parametrize("user", USERS)
def test_a_password_is_needed_and_must_be_right(users: StoreProcess, user: str) -> None:
    """A wrong one, none, and the hash itself are all refused."""
    for password in ("wrong", PASSWORDS[user] + " "):
        with _login(users, user, password) as client, pytest.raises(AuthenticationError):
            client.ping()
    said = _said(users, "probe", f"AUTH {user} {PASSWORDS[user]}x")
    assert isinstance(said, AuthenticationError), said


def test_the_default_user_is_off(users: StoreProcess) -> None:
    """Who names no user gets nothing, not even PING."""
    with (
        _login(users) as client,
        pytest.raises(AuthenticationError, match="Authentication required"),
    ):
        client.ping()
    with _login(users, password="guess") as client, pytest.raises(AuthenticationError):
        client.ping()


def test_no_password_is_kept_in_the_file(users: StoreProcess) -> None:
    """Hashes only."""
    with users.client() as client:
        untyped: Any = client
        listed = str(untyped.execute_command("ACL LIST"))

    for password in PASSWORDS.values():
        assert password not in listed
        assert password not in (users.directory / "users.acl").read_text()


async def test_the_operator_loads_the_library_and_others_are_told_who_does(
    users: StoreProcess,
) -> None:
    """A router without the right says the remedy; afterwards all of them may call it."""
    with users.client() as client:
        client.function_flush()
    async with client_of(users, "router") as router, client_of(users, "operator") as operator:
        with pytest.raises(Exception, match=r"start the operator, or as .* orion ledger"):
            await ensure_library(router)
        loaded = await ensure_library(operator)
        assert await ensure_library(router) == loaded
        assert "orion" in library_source()


async def test_a_worker_passes_on_and_refuses_what_came_to_its_own_stream(
    users: StoreProcess,
) -> None:
    """The two calls that routers and workers share, under the worker's rights."""
    async with client_of(users, "operator") as operator, client_of(users, "worker") as worker:
        await ensure_library(operator)
        bench = Bench(worker)
        await bench.ledger.enlist("pi-a", "pi-a#1")
        entries = [await bench.entry(stream=keys.node_requests("pi-a")) for _ in range(2)]
        admission = await bench.admit(a_request(callback="my:replies"), source=entries[0])
        await bench.ledger.refuse(entries[1], "", "my:replies", b"{}", "no request", b"x")

    assert admission.state == "NEW"
    with users.client() as client:
        assert client.xlen(keys.node_requests("pi-a")) == 0
        assert client.xlen("my:replies") == 1


@pytest.mark.parametrize("callback", ["x", "o", "orion:", "orion:inferenc", "orion:cb:a", "Ä:b"])
async def test_answers_reach_any_callback_outside_our_prefix(
    users: StoreProcess, callback: str
) -> None:
    """Written by the worker, read by the producer, whatever the key's name."""
    async with (
        client_of(users, "operator") as operator,
        client_of(users, "worker") as worker,
        client_of(users, "router") as router,
        client_of(users, "producer") as producer,
    ):
        await ensure_library(operator)
        epoch = (await Ledger(router).planner("r")).epoch
        await Ledger(worker).enlist("pi-a", "pi-a#1")
        request = a_request(callback=callback, stream=True)
        await Ledger(router).admit(request, b"b", b"{}", node="pi-a", epoch=epoch, depth=1)
        held = await Bench(worker).doorbell(request.request_id, "pi-a")
        started = await Bench(worker).start(held)
        assert started is not None
        await Ledger(worker).emit(request.request_id, started.token, 1, b"chunk")
        await Ledger(worker).finish(request.request_id, started.token, "completed", b"{}")
        read: Any = await producer.xread({callback: "0"})
        kept: Any = await producer.xrange(keys.responses(request.request_id))

    assert [fields[b"type"] for _, fields in read[0][1]] == [b"chunk", b"final"]
    assert len(kept) == 1


def test_the_probe_may_ping_without_a_password(users: StoreProcess) -> None:
    """Kubernetes' probe of the store knows no secret."""
    assert _said(users, "probe", "PING") in (b"PONG", True)
