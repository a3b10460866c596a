"""Runs the operator's parts in one event loop, and ends them in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager

import kopf
from aiohttp import web

from orion_contracts.errors import Misconfigured
from orion_contracts.store import connect, read_password
from orion_operator.api import Api, ApiError
from orion_operator.cluster import Cluster
from orion_operator.config_writer import ConfigWriter
from orion_operator.definition import ensured
from orion_operator.handlers import make_registry, make_settings
from orion_operator.lease import Lease
from orion_operator.metrics import Metrics
from orion_operator.node_writer import NodeWriter
from orion_operator.probes import Pulse, State, application
from orion_operator.publish import Publisher
from orion_operator.reconcile import Reconciler
from orion_operator.roller import Roller
from orion_operator.settings import Settings
from orion_operator.store_link import StoreLink
from orion_operator.view import View

log = logging.getLogger(__name__)


def serve(settings: Settings, version: str) -> int:
    """Blocks until SIGTERM or SIGINT. 0: ended in order; 1: could not go on."""
    try:
        return asyncio.run(_serve(settings, version))
    except (Misconfigured, ApiError, OSError) as error:
        log.error("cannot run: %s", error)
        return 1


def link_to(settings: Settings) -> StoreLink:
    """The store as the settings name it. Raises Misconfigured."""
    password = read_password(settings.redis_password, settings.redis_password_file)
    client = connect(settings.redis_addr, password, settings.redis_username, retries=1)
    return StoreLink(client, settings.redis_addr.rpartition("@")[2])


async def _serve(settings: Settings, version: str) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    state, pulse, metrics = State(version), Pulse(), Metrics()
    link = link_to(settings)
    api = await Api.connect()
    try:
        async with _http(settings, state, pulse, metrics):
            return await _until(stop, _operate(settings, state, metrics, api, link))
    finally:
        await link.close()
        await api.close()


async def _until(stop: asyncio.Event, work: Coroutine[None, None, None]) -> int:
    """Run until the work ends or somebody asks for the end."""
    working = asyncio.create_task(work, name="operator")
    waiting = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
    for task in (working, waiting):
        task.cancel()
    results = await asyncio.gather(working, waiting, return_exceptions=True)
    error = results[0]
    if isinstance(error, Exception):
        log.error("the watches ended: %s: %s; the container restarts", type(error).__name__, error)
        return 1
    log.info("ended")
    return 0


async def _operate(
    settings: Settings, state: State, metrics: Metrics, api: Api, link: StoreLink
) -> None:
    """Everything after the HTTP server; ends when kopf does."""
    cluster = Cluster(api, settings.namespace)
    state.waiting = "waiting for the Kubernetes API and our CRD"
    definition = await ensured(cluster)
    state.waiting = ""
    view = View()
    lease = Lease(cluster, settings.lease, settings.pod_name)
    config = ConfigWriter(link, lease, metrics, settings.namespace)
    nodes = NodeWriter(cluster, lease, metrics, settings.node_name, settings.deployment)
    publisher = Publisher(cluster, metrics, settings.status_interval_s)
    roller = Roller(view, cluster, lease)
    reconciler = Reconciler(view, cluster, lease, link, config, nodes, publisher, roller, metrics)
    reconciler.definition = definition
    state.reconciler = reconciler
    passes = asyncio.create_task(reconciler.run(), name="reconciler")
    trim = trim_later(30.0)
    try:
        await kopf.operator(
            registry=make_registry(view, api),
            settings=make_settings(settings.release),
            standalone=True,
            namespaces=[settings.namespace],
        )
    finally:
        trim.cancel()
        passes.cancel()
        await asyncio.gather(passes, return_exceptions=True)
        await lease.resign()


def trim_later(seconds: float) -> asyncio.TimerHandle:
    """After the start: what only the start needed is given back, the rest is not searched again."""

    def trim() -> None:
        gc.collect()
        gc.freeze()

    return asyncio.get_running_loop().call_later(seconds, trim)


@asynccontextmanager
async def _http(
    settings: Settings, state: State, pulse: Pulse, metrics: Metrics
) -> AsyncGenerator[None]:
    """The probes' server, the metrics' server and the pulse."""
    runner = web.AppRunner(application(state, pulse), access_log=None, handle_signals=False)
    await runner.setup()
    beating = asyncio.create_task(pulse.run(), name="pulse")
    stop_metrics = None
    try:
        await web.TCPSite(runner, settings.http_host, settings.http_port).start()
        if settings.metrics_port:
            stop_metrics = metrics.serve(settings.http_host, settings.metrics_port)
        yield
    finally:
        if stop_metrics is not None:
            await asyncio.to_thread(stop_metrics)
        beating.cancel()
        await runner.cleanup()
