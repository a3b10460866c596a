"""The store's users: one per role, each with the commands and keys that its code really uses.

A function call gives no rights of its own: the store checks every command inside it against the
caller. So a role's rights are what its process sends plus what the ledger's functions do for it,
and nothing else: no run-time user loads code, reads the store's settings or lists its keys. Only
the operator loads the function library; a router or worker that lacks it waits and says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orion_contracts import keys
from orion_contracts.errors import Misconfigured

OUTSIDE = tuple(
    pattern
    for i, char in enumerate(keys.PREFIX)
    for pattern in (f"{keys.PREFIX[:i]}[^{char}]*", *((keys.PREFIX[:i],) if i else ()))
)
"""Patterns that together match every key that does not begin with our prefix: a client's own
callbacks. The same rule as limits.callback_problem, enforced by the store as well."""
CALLBACKS = (keys.responses("*"),)


@dataclass(frozen=True, slots=True)
class Role:
    """One user: keys by what may be done to them, commands, channels, and one selector."""

    name: str
    commands: str
    both: tuple[str, ...] = ()
    """Patterns of keys that are read and written."""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    on_callbacks: str = ""
    """Commands on clients' own callback streams, which may have any name outside our prefix."""

    def rules(self) -> Iterator[str]:
        """The rules after the password, in the words of an ACL file."""
        yield from ("resetkeys", "resetchannels", "-@all")
        yield from (f"~{pattern}" for pattern in self.both)
        yield from (f"%R~{pattern}" for pattern in self.reads)
        yield from (f"%W~{pattern}" for pattern in self.writes)
        yield from (f"&{channel}" for channel in self.channels)
        yield from (f"+{command}" for command in self.commands.split())
        if self.on_callbacks:
            commands = [f"+{command}" for command in self.on_callbacks.split()]
            access = "%W~" if "xadd" in self.on_callbacks else "%R~"
            yield f"({' '.join([*commands, *(access + pattern for pattern in OUTSIDE)])})"


_RECORDS = (
    keys.record("*"), keys.responses("*"), keys.QUEUE, keys.DUE, keys.BYTES, keys.inflight("*"),
    keys.alive("*"), keys.node_requests("*"),
)  # fmt: skip
"""What admission, delivery and return touch, whoever asks for them."""
_LEDGER = """
    ping info time fcall get set del exists pexpire pttl persist incrby decrby
    hget hmget hset hdel hincrby sadd srem scard smembers
    zadd zrem zcard zscore zrange zrangebyscore zrevrangebyscore
    xadd xack xdel xrange xreadgroup xgroup|create
"""

ROUTER = Role(
    "router",
    _LEDGER + "hgetall zrank xlen xread xrevrange xpending xclaim publish subscribe unsubscribe",
    both=(*_RECORDS, keys.REQUESTS, keys.EVENTS, keys.DEAD, keys.PLANNER, keys.CLOCK,
          keys.mailbox("*"), keys.learned("*")),
    reads=(keys.NODES, keys.INCARNATIONS, keys.node_health("*"), keys.drain("*"), keys.CONFIG),
    writes=(keys.CONFIG_APPLIED, keys.lost("*")),
    channels=(keys.PLANNER_BEAT,),
    on_callbacks="xadd",
)  # fmt: skip
WORKER = Role(
    "worker",
    _LEDGER + "hlen hgetall",
    both=(*_RECORDS, keys.NODES, keys.INCARNATIONS, keys.node_health("*"), keys.drain("*"),
          keys.lost("*"), keys.kept("*")),
    reads=(keys.PLANNER, keys.CLOCK, keys.CONFIG, keys.LEARNED_KEY),
    writes=(keys.EVENTS, keys.DEAD, keys.mailbox("*")),
    on_callbacks="xadd",
)  # fmt: skip
OPERATOR = Role(
    "operator",
    """
    ping info time fcall function|load config|get acl|dryrun get set del exists hget hgetall hdel
    smembers scard zcard xadd xlen xrange xrevrange subscribe unsubscribe
    """,
    both=(keys.CONFIG, keys.CONFIG_APPLIED, keys.drain("*")),
    reads=(keys.NODES, keys.node_health("*"), keys.alive("*"), keys.inflight("*"), keys.QUEUE,
           keys.DEAD, keys.PLANNER, keys.REQUESTS),
    writes=(keys.EVENTS, keys.mailbox("*")),
    channels=(keys.PLANNER_BEAT,),
)  # fmt: skip
"""Also of people: `orion doctor` and `orion drain` inside the cluster. Reads the store's settings
(CONFIG GET, ACL DRYRUN) because a store that forgets requests has to be told of. Of routers'
mailboxes it asks only whether they are there (EXISTS needs no right to read), for a router that
died leaves none."""
PRODUCER = Role(
    "producer",
    "ping xadd xread xrange xrevrange",
    reads=CALLBACKS,
    writes=(keys.REQUESTS, keys.node_requests("*")),
    on_callbacks="xread xrange xrevrange",
)
"""Other modules: put requests in, read answers."""
NOBODY = "user default off resetpass ~* &* +@all"
"""Nobody is `default`, but servers replay their append-only file as this user and check its rights
at each EXEC (Redis 7 and 8, Valkey before 9.1.2; redis#14541, valkey#3983): without them everything
that a transaction or a function wrote is dropped at a restart, in silence."""
ROLES = (ROUTER, WORKER, OPERATOR, PRODUCER)
USERS = tuple(role.name for role in ROLES)
"""The users that have a password."""


def acl_file(passwords: Mapping[str, str]) -> str:
    """The store's `aclfile`, passwords as hashes only. Raises Misconfigured where one is missing.

    The user `probe` needs no password and may only PING; nobody can log in as `default`.
    """
    lines = [NOBODY]
    for role in ROLES:
        password = passwords.get(role.name, "")
        if not password:
            raise Misconfigured(f"the store's user {role.name} needs a password, and has none")
        digest = hashlib.sha256(password.encode()).hexdigest()
        lines.append(" ".join((f"user {role.name} on resetpass #{digest}", *role.rules())))
    lines.append("user probe on nopass resetkeys resetchannels -@all +ping")
    return "\n".join(lines) + "\n"
