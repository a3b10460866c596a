"""Wiring: builds the parts from the settings, runs the worker, its HTTP server and its signals."""

from __future__ import annotations

import contextlib
import logging
import secrets
import signal
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import cast

import anyio
import anyio.from_thread
import anyio.lowlevel
from anyio.abc import TaskGroup

from orion_agent import http_server, lean, sharing
from orion_agent.beat import Beat
from orion_agent.endpoints import app
from orion_agent.energy import Meter
from orion_agent.health import MIB, Identity
from orion_agent.metrics import Metrics
from orion_agent.ollama_engine import OllamaEngine
from orion_agent.parts import Parts
from orion_agent.patience import Patience
from orion_agent.power_sensors import board_model
from orion_agent.rates import Rates
from orion_agent.reporter import Reporter
from orion_agent.settings import Settings
from orion_agent.slots import Slots
from orion_agent.view import EngineView
from orion_agent.worker import Worker
from orion_contracts import schema
from orion_contracts.errors import OrionError
from orion_contracts.ledger import LeaseTimes, Ledger
from orion_contracts.power import of_board
from orion_contracts.store import connect, connect_sync, read_password

CLOSE_S = 0.5
logger = logging.getLogger("orion.worker")


class Service:
    """One process."""

    def __init__(self, settings: Settings, version: str) -> None:
        self._settings, self._version = settings, version
        self._taken_over = False
        self._around: TaskGroup | None = None
        self._token: anyio.lowlevel.EventLoopToken | None = None

    async def run(self) -> int:
        """Run until stopped; the exit code."""
        s = self._settings
        with contextlib.ExitStack() as cleanup:
            try:
                listener = cleanup.enter_context(
                    contextlib.closing(http_server.listen(s.http_host, s.http_port))
                )
                parts = self._build(listener.getsockname()[1])
                cleanup.callback(self._serve_metrics(parts))
            except OSError as error:
                logger.error("%s", error)
                return 1
            schema.validator("inference.request")  # now, not while tokens are waiting
            lean.trim()
            worker = Worker(parts)
            server = http_server.make(app(parts, self._version, lambda: worker.stopping))
            async with anyio.create_task_group() as around:
                closed = anyio.Event()

                async def serve_http() -> None:
                    await server.serve([listener])
                    closed.set()

                around.start_soon(serve_http, name="http")
                around.start_soon(self._signals, worker, name="signals")
                self._around, self._token = around, anyio.lowlevel.current_token()
                await worker.run()
                server.should_exit = True
                with anyio.move_on_after(CLOSE_S):
                    await closed.wait()
                around.cancel_scope.cancel()
        await self._close(parts)
        return 1 if self._taken_over else 0

    def _taken_over_by(self, holder: str) -> None:
        """Called by the beat's thread."""
        anyio.from_thread.run_sync(self._lost, holder, token=self._token)

    def _lost(self, holder: str) -> None:
        self._taken_over = True
        logger.error(
            "another worker (%s) has taken over the name %s: give every worker its own --node-id",
            holder, self._settings.node_id,
        )  # fmt: skip
        if self._around is not None:
            self._around.cancel_scope.cancel()

    def _build(self, http_port: int) -> Parts:
        s = self._settings
        password = read_password(s.redis_password, s.redis_password_file)
        where = (s.redis_addr, password, s.redis_username)
        cache = None if s.prompt_cache_mib is None else s.prompt_cache_mib * MIB
        who = Identity(s.node_id, secrets.token_hex(8), s.slots, s.node_class, cache)
        store, view, slots, rates = connect(*where), EngineView(), Slots(s.slots), Rates()
        engine = OllamaEngine(s.ollama_host, s.max_output_tokens)
        root = Path(s.host_root)
        reporter = Reporter(store, who, engine, view, slots, rates, root, s.health_interval_s)
        reporter.meter = Meter(time.monotonic(), of_board(board_model(root)))
        beat = Beat(
            connect_sync(*where), who.node, who.incarnation,
            lambda: slots.running > 0 or slots.closed,
            self._taken_over_by,
        )  # fmt: skip
        metrics = Metrics(lambda: reporter.meter.totals)
        patience = Patience(store)
        metrics.gauge("running", "Requests in hand.", lambda: slots.running)
        metrics.gauge("store_retries", "Store calls repeated so far.", lambda: patience.retries)
        metrics.gauge("engine_reachable", "1: Ollama takes work.", lambda: view.reachable)
        metrics.gauge("engine_wedged", "1: Ollama hangs.", lambda: view.wedged)
        return Parts(
            settings=s,
            who=who,
            store=store,
            reads=connect(*where, retries=0),
            ledger=Ledger(store, LeaseTimes(run_ms=s.run_lease_ms)),
            patience=patience,
            engine=engine,
            view=view,
            slots=slots,
            rates=rates,
            reporter=reporter,
            beat=beat,
            metrics=metrics,
            sharing=sharing.make(s, password, store, http_port),
        )

    def _serve_metrics(self, parts: Parts) -> Callable[[], None]:
        s = self._settings
        try:
            return parts.metrics.serve(s.http_host, s.metrics_port)
        except OSError as error:
            raise OSError(
                f"--metrics-port: cannot listen on {s.metrics_port}: {error.strerror}"
            ) from error

    async def _signals(self, worker: Worker) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for received in signals:
                logger.info("received %s", received.name)
                worker.stop()

    async def _close(self, parts: Parts) -> None:
        parts.beat.stop()
        with anyio.move_on_after(CLOSE_S):
            await parts.engine.aclose()
            await parts.reads.aclose()
            await parts.store.aclose()
        parts.beat.join(CLOSE_S)


def serve(settings: Settings, version: str) -> int:
    """Run one worker process; the exit code."""
    try:
        return anyio.run(Service(settings, version).run, backend_options={"use_uvloop": True})
    except BaseExceptionGroup as group:
        told = [e for e in _leaves(group) if isinstance(e, OrionError)]
        for error in told:
            logger.error("%s", error)
        if not told:
            raise
    except OrionError as error:
        logger.error("%s", error)
    return 1


def _leaves(group: BaseExceptionGroup[BaseException]) -> Generator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(cast(BaseExceptionGroup[BaseException], error))
        else:
            yield error
