"""Prometheus metrics on a port of their own."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """What the operator counts; its registry holds nothing else."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        name = "orion_operator_"
        self.reconciles = Counter(
            f"{name}reconciles_total",
            "Looks at the world, by how they ended.",
            ["outcome"],
            registry=own,
        )
        self.seconds = Histogram(
            f"{name}reconcile_seconds", "Duration of a look.", buckets=SECONDS, registry=own
        )
        self.status_writes = Counter(
            f"{name}status_writes_total", "Statuses written.", registry=own
        )
        self.config_writes = Counter(
            f"{name}config_writes_total", "Configurations written to the store.", registry=own
        )
        self.node_writes = Counter(
            f"{name}node_writes_total", "Changes of Node objects.", registry=own
        )
        self.events = Counter(f"{name}events_total", "Events posted.", registry=own)
        self.leader = Gauge(f"{name}leader", "1: this operator is in charge.", registry=own)
        self.store_up = Gauge(f"{name}store_up", "1: the store is usable.", registry=own)
        self.boards = Gauge(f"{name}boards", "Boards by state.", ["state"], registry=own)
        self.models_unplaced = Gauge(
            f"{name}models_unplaced", "Models on fewer boards than they should be.", registry=own
        )

    def count(self, states: Iterable[str]) -> None:
        """How many boards are in which state."""
        self.boards.clear()
        for state, number in Counts(states).items():
            self.boards.labels(state).set(number)

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Serve from a thread; returns what stops it. Raises OSError when the port is taken."""
        server, thread = start_http_server(port, host, self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join(1.0)

        return stop
