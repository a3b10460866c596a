"""What is wrong with the store, and what to do about it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)

from orion_contracts.errors import Misconfigured, OrionError, StoreUnavailable


@dataclass(frozen=True, slots=True)
class Trouble:
    """One word for machines; a sentence with the remedy for people."""

    reason: str
    message: str


NO_TROUBLE = Trouble("", "")


def of_error(error: Exception, address: str) -> Trouble:
    """From what a call to the store raised. Never repeats a password."""
    text = str(error)
    if isinstance(error, StoreUnavailable) and isinstance(error.__cause__, RedisError):
        return of_error(error.__cause__, address)
    if isinstance(error, AuthenticationError) or "WRONGPASS" in text or "NOAUTH" in text:
        return Trouble(
            "StoreRefusesPassword",
            f"the store at {address} refuses this user or password; compare the Secret that "
            "store.auth.existingSecret names (key operator-password) with the store's users, then "
            "restart the operator",
        )
    if isinstance(error, NoPermissionError):
        return Trouble(
            "StoreForbids",
            f"the store's user lacks a right: {text}; give it the rules of "
            "`orion-inference-operator acl`",
        )
    if isinstance(error, BusyLoadingError):
        return Trouble("StoreLoading", f"the store at {address} is reading its data; wait")
    if isinstance(error, OutOfMemoryError):
        return Trouble(
            "StoreFull", "the store's memory is full; raise maxmemory or its pod's limit"
        )
    if isinstance(error, ReadOnlyError):
        return Trouble("StoreReadOnly", f"{address} is a read-only replica; name the primary")
    if "MISCONF" in text:
        return Trouble(
            "StoreCannotPersist", "the store cannot write to its disk; free space on its volume"
        )
    if isinstance(error, Misconfigured):
        return Trouble("StoreUnfit", text)
    if isinstance(error, OrionError):
        return Trouble("StoreUnavailable", text)
    if isinstance(error, RedisError | OSError | TimeoutError):
        return Trouble(
            "StoreUnreachable",
            f"the store at {address} does not answer ({type(error).__name__}); look at its pod, "
            "its Service and the NetworkPolicies, or correct externalRedis",
        )
    return Trouble("StoreUnavailable", f"{type(error).__name__}: {text}")


def of_settings(info: Mapping[str, Any], settings: Mapping[str, str]) -> Trouble:
    """From INFO and, where this user may, CONFIG GET: does the store keep what it was given?"""
    told = {0: "no", 1: "yes"}.get(info.get("aof_enabled", -1), "")
    if (settings.get("appendonly") or told) == "no":
        return Trouble(
            "StoreNotDurable",
            "the store keeps no append-only file: requests are lost when it restarts; set "
            "appendonly yes and appendfsync always (the bundled store has both)",
        )
    policy = settings.get("maxmemory-policy") or str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        return Trouble(
            "StoreEvicts",
            f"the store's maxmemory-policy is {policy}: when it is full it forgets requests; set "
            "maxmemory-policy noeviction",
        )
    if info.get("aof_last_write_status", "ok") != "ok":
        return Trouble(
            "StoreCannotPersist", "the store cannot write to its disk; free space on its volume"
        )
    return NO_TROUBLE


def advice(settings: Mapping[str, str]) -> str:
    """What is allowed and not good."""
    if settings.get("appendfsync") == "everysec":
        return "appendfsync is everysec: a power cut loses the last second; set it to always"
    if settings.get("appendfsync") == "no":
        return "appendfsync is no: a power cut loses up to 30 s of requests; set it to always"
    return ""
