"""Prometheus metrics on a port of their own. Labels are words of ours, or the names of models that
completed a request here, and of those at most 64."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from orion_agent.tools import Outcome
from orion_agent.view import normal

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300)
JOULES_PER_TOKEN = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100)
MAX_MODELS, OTHER_MODELS = 64, "other"


class Metrics:
    """What a worker counts; its registry holds nothing else."""

    def __init__(self, joules: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0)) -> None:
        """`joules`: the board's active and idle energy so far; read by another thread."""
        self.registry = CollectorRegistry()
        self._models: set[str] = set()
        self.registry.register(_Energy(joules))
        self._per_token = Histogram(
            "orion_worker_joules_per_token",
            "Of a completed request: joules beyond idling, prompt and load included, for each "
            "token of its answer.",
            ["model"],
            buckets=JOULES_PER_TOKEN,
            registry=self.registry,
        )
        self._requests = Counter(
            "orion_worker_requests_total", "Attempts by how they ended.", ["outcome"],
            registry=self.registry,
        )  # fmt: skip
        self._tokens = Counter(
            "orion_worker_tokens_total", "Tokens of completed requests.", ["type"],
            registry=self.registry,
        )  # fmt: skip
        self._first = Histogram(
            "orion_worker_time_to_first_token_seconds",
            "From the start on this board to the first token.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._duration = Histogram(
            "orion_worker_request_seconds", "From the start on this board to the end.",
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A value that is read when someone asks."""
        Gauge(f"orion_worker_{name}", text, registry=self.registry).set_function(read)

    def ended(self, outcome: Outcome, seconds: float, model: str = "") -> None:
        """Count one attempt."""
        self._requests.labels(outcome.word).inc()
        self._duration.observe(seconds)
        if outcome.first_token_s is not None:
            self._first.observe(outcome.first_token_s)
        if outcome.done is not None:
            self._tokens.labels("input").inc(outcome.done.prompt_tokens or 0)
            self._tokens.labels("output").inc(outcome.done.output_tokens or 0)
            if outcome.spent is not None and outcome.done.output_tokens:
                each_j = outcome.spent.joules / outcome.done.output_tokens
                self._per_token.labels(self._label(model)).observe(each_j)

    def _label(self, model: str) -> str:
        name = normal(model)
        if name not in self._models:
            if len(self._models) >= MAX_MODELS:
                return OTHER_MODELS
            self._models.add(name)
        return name

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Serve from a thread; returns what stops it. Raises OSError when the port is taken."""
        server, thread = start_http_server(port, host, self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join(1.0)

        return stop


class _Energy(Collector):
    """Two counters that are kept elsewhere."""

    def __init__(self, joules: Callable[[], tuple[float, float]]) -> None:
        self._joules = joules

    def collect(self) -> Iterator[Metric]:
        """Runs in the exporter's thread."""
        active_j, idle_j = self._joules()
        family = CounterMetricFamily(
            "orion_worker_energy_joules",
            "Energy of this board: beyond idling (active), and what it draws anyway (idle).",
            labels=["kind"],
        )
        family.add_metric(["active"], active_j)
        family.add_metric(["idle"], idle_j)
        yield family
