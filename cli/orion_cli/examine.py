"""Gathers what `orion doctor` judges: reads only, changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import httpx
import redis
from redis.exceptions import NoPermissionError, ResponseError

from orion_cli import storage
from orion_cli.facts import OllamaFacts, RouterFacts, StoreFacts
from orion_cli.gateway import error_text, trusts_proxies
from orion_cli.problem import Problem
from orion_cli.state import StoreAddress
from orion_contracts import keys, schema
from orion_contracts.errors import InvalidRequest
from orion_contracts.health import hash_to_wire
from orion_contracts.ledger import VERSION
from orion_contracts.limits import read_request

SAMPLE = 20
BEAT_WITHIN_S = 2.5
WRITES = (
    ("SET", "v"), ("DEL",), ("PEXPIRE", "1"), ("PERSIST",), ("INCRBY", "1"), ("HSET", "f", "v"),
    ("HDEL", "f"), ("SADD", "m"), ("SREM", "m"), ("ZADD", "1", "m"), ("ZREM", "m"),
    ("XADD", "*", "f", "v"), ("XDEL", "1-1"), ("XACK", "g", "1-1"), ("XTRIM", "MAXLEN", "1"),
)  # fmt: skip
"""Commands of the kinds that the ledger writes, after the key."""
SETTINGS = ("appendonly", "appendfsync", "maxmemory-policy")
T = TypeVar("T")


def store(where: StoreAddress) -> StoreFacts:
    """Everything about the store."""
    address = storage.shown(where)
    try:
        with storage.opened(where) as client:
            client.ping()
            return _store(client, address)
    except Problem as problem:
        return StoreFacts(address=address, error=problem.text, remedy=problem.remedy)


def _store(client: redis.Redis, address: str) -> StoreFacts:
    info: dict[str, Any] = _allowed(lambda: client.info("server"), {})
    nodes = sorted(n.decode() for n in cast(set[bytes], client.smembers(keys.NODES)))
    invalid: dict[str, str] = {}
    sampled = _inspect(client, nodes, invalid)
    owner = cast(bytes | None, client.hget(keys.PLANNER, "owner")) or b""
    return StoreFacts(
        address=address,
        version=str(info.get("valkey_version") or info.get("redis_version") or ""),
        mode=str(info.get("redis_mode", "standalone")),
        settings=_allowed(lambda: _settings(client), None),
        replays=_allowed(lambda: _replays(client), None),
        library=_library(client),
        wanted_library=VERSION,
        skew_s=_allowed(lambda: _skew_s(client), None),
        planner=owner.decode(),
        planner_beats=bool(owner) and _allowed(lambda: _beats(client), True),
        nodes=nodes,
        silent=[n for n in nodes if not client.exists(keys.alive(n))],
        draining=[n for n in nodes if client.exists(keys.drain(n))],
        engines=_engines(client, nodes),
        invalid=invalid,
        sampled=sampled,
        dead=client.xlen(keys.DEAD),
    )


def _allowed(read: Callable[[], T], otherwise: T) -> T:
    """What this user may read; `otherwise` where the store refuses."""
    try:
        return read()
    except ResponseError:
        return otherwise


def _settings(client: redis.Redis) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in SETTINGS:
        found |= cast(dict[str, str], client.config_get(name))
    return {_text(k): _text(v) for k, v in found.items()}


def _replays(client: redis.Redis) -> bool:
    """Servers replay transactions as `default`, and drop what it may not do (redis#14541): what the
    ledger writes, to its own keys and to those that clients name."""
    plain: Any = client  # untyped below this point
    return all(
        _text(plain.execute_command("ACL", "DRYRUN", "default", command, key, *rest)) == "OK"
        for key in (keys.CONFIG, "a-clients-own-stream")
        for command, *rest in WRITES
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _library(client: redis.Redis) -> int | None:
    try:
        return int(client.fcall("orion_version", 0))
    except NoPermissionError:
        return None
    except ResponseError:
        return 0


def _skew_s(client: redis.Redis) -> float:
    before = time.time()
    seconds, micros = client.time()
    return seconds + micros / 1e6 - (before + time.time()) / 2


def _beats(client: redis.Redis) -> bool:
    """Whether the planner is heard within the time after which it would be replaced."""
    untyped: Any = client
    with untyped.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(keys.PLANNER_BEAT)
        deadline = time.monotonic() + BEAT_WITHIN_S
        while (left_s := deadline - time.monotonic()) > 0:
            if channel.get_message(timeout=left_s) is not None:
                return True
    return False


def _engines(client: redis.Redis, nodes: list[str]) -> dict[str, str]:
    """Boards whose worker cannot use its Ollama, and why; a spoilt report is told elsewhere."""
    found: dict[str, str] = {}
    for node in nodes:
        try:
            document = hash_to_wire(
                cast(dict[bytes, bytes], client.hgetall(keys.node_health(node)))
            )
            schema.check("node-health", document)
        except (InvalidRequest, ValueError, TypeError, ResponseError):
            continue
        engine: dict[str, Any] = document["engine"]
        if engine.get("wedged"):
            found[node] = "it hung in the middle of a request"
        elif not engine["reachable"]:
            found[node] = str(engine.get("error") or "it does not answer")
    return found


def _inspect(client: redis.Redis, nodes: list[str], invalid: dict[str, str]) -> int:
    """Check health hashes, the configuration and waiting entries; returns how many."""
    seen = 0
    for node in nodes:
        fields = cast(dict[bytes, bytes], client.hgetall(keys.node_health(node)))
        if fields:
            seen += 1
            _check(keys.node_health(node), "node-health", partial(hash_to_wire, fields), invalid)
    raw = cast(bytes | None, client.get(keys.CONFIG))
    if raw is not None:
        import orjson

        seen += 1
        _check(keys.CONFIG, "config", lambda: orjson.loads(raw), invalid)
    entries: Any = client.xrange(keys.REQUESTS, count=SAMPLE)
    for entry, fields in cast(list[tuple[bytes, dict[bytes, bytes]]], entries):
        seen += 1
        try:
            read_request(fields.get(b"payload") or fields.get(b"data") or b"")
        except InvalidRequest as error:
            invalid[f"{keys.REQUESTS} {entry.decode()}"] = str(error)
    return seen


def _check(
    place: str, name: str, read: Callable[[], dict[str, Any]], invalid: dict[str, str]
) -> None:
    try:
        schema.check(name, read())
    except (InvalidRequest, ValueError, TypeError) as error:
        invalid[place] = str(error)


def router(url: str) -> RouterFacts:
    """Its readiness probe."""
    try:
        with httpx.Client(timeout=5.0, trust_env=trusts_proxies(url)) as http:
            answer = http.get(f"{url}/readyz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return RouterFacts(url=url, error=str(error) or type(error).__name__)
    said = "" if answer.is_success else _reasons(answer)
    return RouterFacts(url=url, ready=answer.is_success, said=said)


def _reasons(answer: httpx.Response) -> str:
    try:
        document = cast(dict[str, Any], answer.json())
    except ValueError:
        return answer.text[:200]
    return str(document.get("output") or document.get("notes") or error_text(answer))


def ollama(url: str, machine: str) -> OllamaFacts:
    """Version and models."""
    try:
        with httpx.Client(base_url=url, timeout=5.0, trust_env=trusts_proxies(url)) as http:
            version = http.get("/api/version").raise_for_status().json()["version"]
            models = http.get("/api/tags").raise_for_status().json()["models"]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        return OllamaFacts(url=url, error=f"does not answer: {said}")
    names = [str(model.get("name")) for model in models]
    return OllamaFacts(url=url, version=str(version), models=names, machine=machine)
