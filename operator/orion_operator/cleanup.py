"""Before an uninstall: everything of ours off the Nodes and out of the store. Never fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from redis.exceptions import RedisError

from orion_contracts.errors import OrionError
from orion_contracts.kubernetes import OWNER_LABEL
from orion_operator.api import Api, ApiError
from orion_operator.cluster import Cluster
from orion_operator.feedback import farewell
from orion_operator.lease import Lease
from orion_operator.leasing import FAREWELL, FAREWELL_S
from orion_operator.nodes import read_node
from orion_operator.serve import link_to
from orion_operator.settings import Settings

log = logging.getLogger(__name__)

MOST_S, STORE_S = 30.0, 8.0


def clean_up(settings: Settings) -> int:
    """Always 0: an uninstall goes on whatever could not be done."""
    try:
        asyncio.run(asyncio.wait_for(_clean_up(settings), MOST_S))
    except TimeoutError:
        log.warning("not finished within %.0f s; what is left are labels under inference.orion.dev/"
                    " on nodes", MOST_S)  # fmt: skip
    except Exception as error:
        log.warning("not finished: %s: %s", type(error).__name__, error)
    return 0


async def _clean_up(settings: Settings) -> None:
    api = await Api.connect()
    try:
        await _nodes(settings, Cluster(api, settings.namespace))
    except ApiError as error:
        log.warning("nodes: %s", error)
    finally:
        await api.close()
    try:
        await asyncio.wait_for(_store(settings), STORE_S)
    except (RedisError, OrionError, OSError, TimeoutError) as error:
        log.warning("store: %s: %s", type(error).__name__, error)


async def _nodes(settings: Settings, cluster: Cluster) -> None:
    """Seize the Lease first: an operator that still runs must not write what is taken away."""
    try:
        await Lease(cluster, settings.lease, FAREWELL).seize(FAREWELL_S)
    except ApiError as error:
        log.warning("lease: %s", error)
    for body in await cluster.nodes(f"{OWNER_LABEL}={settings.namespace}"):
        node = read_node(body)
        if node.tainted:
            await _try(cluster.retaint(node.name, None), node.name)
        for subresource, patch in farewell(node):
            await _try(cluster.patch_node(node.name, patch, subresource), node.name)
        log.info("node %s: belongs to nobody now", node.name)


async def _try(change: Awaitable[object], node: str) -> None:
    """One Node's trouble does not keep another's labels."""
    try:
        await change
    except ApiError as error:
        log.warning("node %s: %s", node, error)


async def _store(settings: Settings) -> None:
    link = link_to(settings)
    try:
        await link.forget()
        log.info("store: the configuration is taken away")
    finally:
        await link.close()
