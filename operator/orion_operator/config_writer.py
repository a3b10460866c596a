"""Keeps the store's configuration as it should be."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from redis.exceptions import RedisError

from orion_contracts import kubernetes as names
from orion_contracts.errors import InvalidRequest
from orion_contracts.stamp import iso
from orion_operator.lease import Lease
from orion_operator.metrics import Metrics
from orion_operator.render import planned, source, stamped
from orion_operator.store_link import StoreLink

log = logging.getLogger(__name__)


class ConfigWriter:
    """`present`: the document that the store holds, as far as is known."""

    def __init__(
        self,
        link: StoreLink,
        lease: Lease,
        metrics: Metrics,
        namespace: str,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._link = link
        self._lease = lease
        self._metrics = metrics
        self._source = source(namespace)
        self._wall = wall
        self._last = 0
        self._missing = True
        self.present: Mapping[str, Any] | None = None
        self.shared_with = ""

    @property
    def generation(self) -> int:
        """Of the document that is in the store."""
        return int((self.present or {}).get("generation", 0))

    @property
    def plan(self) -> dict[str, tuple[str, ...]]:
        """The placement that is in force."""
        return planned(self.present)

    def saw(self, found: Mapping[str, Any] | None) -> None:
        """What the store holds now. Nothing: what was written last is still the plan."""
        other = str((found or {}).get("source", ""))
        foreign = other.startswith(f"{names.OPERATOR}/") and other != self._source
        self.shared_with = other if foreign and self._last else ""
        if found is not None:
            self.present = found
        self._missing = found is None

    async def write(self, content: Mapping[str, Any]) -> bool:
        """Write `content` where the store says something else; whether it was written."""
        if self.shared_with:
            return False
        there = None if self._missing else self.present
        document = stamped(content, there, max(self._last, self.generation), iso(self._wall()))
        if document is None or not await self._lease.confirm():
            return False
        try:
            await self._link.write(document)
        except (RedisError, InvalidRequest) as error:
            log.error("the configuration could not be written: %s", error)
            return False
        self._metrics.config_writes.inc()
        self._last = document["generation"]
        self.present, self._missing = document, False
        log.info("configuration of generation %d written", self._last)
        return True
