"""The configuration in force on this board: the last valid one that the store gave."""

from __future__ import annotations

import logging

import orjson

from orion_contracts import keys, schema
from orion_contracts.config import DEFAULT_CONFIG, ClusterConfig
from orion_contracts.errors import OrionError

logger = logging.getLogger("orion.worker.health")


class InForce:
    """Reads what the store has under the configuration's key."""

    def __init__(self) -> None:
        self.config: ClusterConfig = DEFAULT_CONFIG
        self.seen = False
        """Whether the store has one; else `config` holds the defaults."""
        self._raw: bytes | None = None

    def read(self, raw: bytes | None) -> None:
        """Absent: the defaults. Invalid: the last good one stays."""
        if raw == self._raw:
            return
        self._raw = raw
        if raw is None:
            self.config, self.seen = DEFAULT_CONFIG, False
            return
        try:
            document = orjson.loads(raw)
            schema.check("config", document)
            self.config = ClusterConfig.from_wire(document)
            self.seen = True
        except (ValueError, TypeError, KeyError, OrionError) as error:
            logger.error("the configuration in %s is not valid, the last good one stays: %s",
                         keys.CONFIG, error)  # fmt: skip
