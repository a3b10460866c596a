"""What `orion doctor` concludes from what it found (pure): a level, a sentence, a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from orion_cli.facts import OllamaFacts, RouterFacts, StoreFacts
from orion_contracts.store import MINIMUM_VERSION

Level = Literal["ok", "warn", "fail"]
GIB = 1024**3
CLOCK_SKEW_WARN_S = 2.0
DISK_WARN_BYTES, DISK_FAIL_BYTES = 2 * GIB, GIB // 4
OLLAMA_ADVISED = (0, 30)
OLLAMA_SLOW_ON_ARM64 = "0.14.3"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis."""

    level: Level
    subject: str
    text: str
    remedy: str = ""


def version_of(text: str) -> tuple[int, ...]:
    """Its leading numbers; empty where there are none."""
    numbers: list[int] = []
    for part in text.split("-")[0].split("+")[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def check_store(facts: StoreFacts) -> Iterator[Finding]:
    """Reachable, able, durable, and holding what the schemas allow."""
    if facts.error:
        remedy = facts.remedy or "start it with `orion up`, or name another with --redis-addr"
        yield Finding("fail", "store", f"{facts.address}: {facts.error}", remedy)
        return
    yield _version(facts)
    if facts.mode == "cluster":
        yield Finding(
            "fail", "store mode", "a Redis Cluster: our functions touch several keys at once",
            "use a standalone Redis or Valkey",
        )  # fmt: skip
    yield from _durability(facts)
    yield _library(facts)
    if facts.skew_s is not None:
        apart = f"{abs(facts.skew_s):.1f} s between this computer and the store"
        if abs(facts.skew_s) > CLOCK_SKEW_WARN_S:
            yield Finding("warn", "clocks", apart, "let both use NTP (timedatectl set-ntp true)")
        else:
            yield Finding("ok", "clocks", apart)
    yield from _contents(facts)


def _version(facts: StoreFacts) -> Finding:
    found = f"version {facts.version or 'unknown'} at {facts.address}"
    number = version_of(facts.version)
    if not number:
        return Finding("warn", "store", found, "this user may not run INFO; Redis 7.0 is needed")
    if number[:2] < MINIMUM_VERSION:
        return Finding("fail", "store", found, "use Redis 7.0 or later, or Valkey")
    return Finding("ok", "store", found)


def _durability(facts: StoreFacts) -> Iterator[Finding]:
    if facts.settings is None:
        yield Finding(
            "warn", "durability", "this user may not read the store's configuration",
            "check yourself: appendonly yes, appendfsync always, maxmemory-policy noeviction",
        )  # fmt: skip
        return
    sync = facts.settings.get("appendfsync", "?")
    if facts.settings.get("appendonly") != "yes":
        yield Finding(
            "fail", "durability", "the append-only file is off: a restart forgets every request",
            "redis-cli CONFIG SET appendonly yes, and write it into the store's configuration",
        )  # fmt: skip
    elif sync != "always":
        yield Finding(
            "warn", "durability", f"appendfsync is {sync}: a power cut loses up to the last second",
            "redis-cli CONFIG SET appendfsync always",
        )  # fmt: skip
    else:
        yield Finding("ok", "durability", "append-only file on, every write synced")
    if facts.settings.get("appendonly") == "yes" and facts.replays is False:
        yield Finding(
            "fail", "replay",
            "its user `default` lacks rights: a restart drops what functions and scripts wrote",
            "let everybody log in as another user, then ACL SETUSER default off resetpass ~* &* "
            "+@all and ACL SAVE: the file is replayed whole (redis#14541, valkey#3983)",
        )  # fmt: skip
    policy = facts.settings.get("maxmemory-policy", "?")
    if policy == "noeviction":
        yield Finding("ok", "eviction", "off: a full store refuses, it never forgets")
    else:
        yield Finding(
            "fail", "eviction", f"maxmemory-policy is {policy}: a full store would forget requests",
            "redis-cli CONFIG SET maxmemory-policy noeviction",
        )  # fmt: skip


def _library(facts: StoreFacts) -> Finding:
    load = "orion ledger | redis-cli -x FUNCTION LOAD REPLACE (or start a router)"
    if facts.library is None:
        return Finding("warn", "ledger", "this user may not call the function library")
    if facts.library == 0:
        return Finding("fail", "ledger", "its function library is not loaded", load)
    if facts.library < facts.wanted_library:
        text = f"its function library is version {facts.library}, not {facts.wanted_library}"
        return Finding("warn", "ledger", text, load)
    return Finding("ok", "ledger", f"function library version {facts.library}")


def _contents(facts: StoreFacts) -> Iterator[Finding]:
    if not facts.planner:
        yield Finding("fail", "planner", "no router plans", "start a router: requests only wait")
    elif not facts.planner_beats:
        yield Finding(
            "fail", "planner", f"{facts.planner} holds the lease and gives no sign of life",
            "start a router; another one takes over by itself within 3 s",
        )  # fmt: skip
    else:
        yield Finding("ok", "planner", f"held by {facts.planner}")
    if not facts.nodes:
        yield Finding("fail", "boards", "none has reported", "start a worker on each board")
    elif facts.silent:
        level: Level = "fail" if len(facts.silent) == len(facts.nodes) else "warn"
        text = f"no sign of life from {', '.join(facts.silent)}"
        yield Finding(level, "boards", text, "look at the worker's log on that board")
    else:
        yield Finding("ok", "boards", f"{', '.join(facts.nodes)} report")
    for name, why in facts.engines.items():
        bad: Level = "fail" if set(facts.engines) == set(facts.nodes) else "warn"
        remedy = f"look at Ollama on {name} (in Kubernetes: container ollama of its worker's pod)"
        yield Finding(bad, "boards", f"{name} cannot use its Ollama: {why}", remedy)
    for name in facts.draining:
        yield Finding("warn", "boards", f"{name} is draining", f"orion drain {name} --undo")
    for place, problem in facts.invalid.items():
        yield Finding("warn", "schema", f"{place}: {problem}", "correct what writes it")
    if not facts.invalid:
        yield Finding("ok", "schema", f"{facts.sampled} documents checked")
    if facts.dead:
        yield Finding(
            "warn", "dead letters", f"{facts.dead} kept",
            "redis-cli XREVRANGE orion:inference:dead + - COUNT 5",
        )  # fmt: skip
    else:
        yield Finding("ok", "dead letters", "none")


def check_router(facts: RouterFacts) -> Finding:
    """Up and ready."""
    if facts.error:
        text = f"{facts.url}: {facts.error}"
        return Finding("fail", "router", text, "start it with `orion up`, or name it with --url")
    if not facts.ready:
        said = f": {facts.said}" if facts.said else ""
        return Finding("fail", "router", f"{facts.url} runs but is not ready{said}",
                       "usually the store; see above")  # fmt: skip
    return Finding("ok", "router", f"ready at {facts.url}")


def check_ollama(facts: OllamaFacts) -> Iterator[Finding]:
    """Reachable, of a good version, with models."""
    subject = f"ollama {facts.url.partition('://')[2]}"
    if facts.error:
        remedy = "start it (ollama serve, systemctl start ollama), or correct --ollama-host"
        yield Finding("fail", subject, facts.error, remedy)
        return
    number = version_of(facts.version)
    if facts.version == OLLAMA_SLOW_ON_ARM64 and facts.machine in ("aarch64", "arm64", ""):
        text = f"version {facts.version} computes ten times too slowly on arm64"
        yield Finding("fail", subject, text, "upgrade Ollama: 0.30 or later is advised")
    elif number and number[:2] < OLLAMA_ADVISED:
        text = f"version {facts.version}; 0.30 or later is advised"
        yield Finding("warn", subject, text, "upgrade Ollama")
    else:
        yield Finding("ok", subject, f"version {facts.version or 'unknown'}")
    if facts.models:
        yield Finding("ok", subject, f"models: {', '.join(facts.models)}")
    else:
        yield Finding("warn", subject, "no model on its disk", "ollama pull smollm2:135m")


def check_disk(place: str, free_bytes: int) -> Finding:
    """Room for the store's file (and models)."""
    text = f"{free_bytes / GIB:.1f} GiB free at {place}"
    if free_bytes < DISK_FAIL_BYTES:
        return Finding("fail", "disk", text, "make room: the store stops when the disk is full")
    if free_bytes < DISK_WARN_BYTES:
        return Finding("warn", "disk", text, "make room soon")
    return Finding("ok", "disk", text)
