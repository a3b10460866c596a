"""Prometheus metrics on a port of their own. Labels are words of ours, never a caller's."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from orion_agent.tools import Outcome

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300)


class Metrics:
    """What a worker counts; its registry holds nothing else."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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

    def ended(self, outcome: Outcome, seconds: float) -> None:
        """Count one attempt."""
        self._requests.labels(outcome.word).inc()
        self._duration.observe(seconds)
        if outcome.first_token_s is not None:
            self._first.observe(outcome.first_token_s)
        if outcome.done is not None:
            self._tokens.labels("input").inc(outcome.done.prompt_tokens or 0)
            self._tokens.labels("output").inc(outcome.done.output_tokens or 0)

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Serve from a thread; returns what stops it. Raises OSError when the port is taken."""
        server, thread = start_http_server(port, host, self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join(1.0)

        return stop
