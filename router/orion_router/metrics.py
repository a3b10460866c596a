"""What the router measures, for Prometheus: read from its parts at scrape time."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from orion_router.parts import Parts


class RouterMetrics:
    """A collector: nothing is counted twice, labels are boards and fixed words only."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """All families. Runs in the exporter's thread: only reads."""
        parts = self._parts
        planner = parts.planner
        yield _gauge("orion_queue_requests", "Requests waiting for a board",
                     len(planner.backlog.waiting))  # fmt: skip
        yield _gauge("orion_queue_expected_wait_seconds",
                     "Until the last of the waiting requests begins",
                     parts.desk.forecast.wait_s)  # fmt: skip
        yield _gauge("orion_planner_held", "1 while this router plans", int(planner.lease.held))
        yield _gauge("orion_followers", "Open answers", len(parts.postbox.open_followers()))
        yield _counter("orion_intake_entries", "Entries read from the intake", parts.intake.read)
        yield _counter("orion_intake_refused", "Entries that were no request", parts.intake.refused)
        yield _counter("orion_intake_ignored_fields", "Fields that are not known here",
                       parts.intake.ignored_fields)  # fmt: skip
        yield _counter("orion_sweep_moved", "Requests closed or requeued by the sweep",
                       parts.upkeep.swept)  # fmt: skip
        decisions = CounterMetricFamily(
            "orion_decisions", "Decisions by verdict", labels=["verdict"]
        )
        for verdict, count in sorted(planner.counts.items()):
            decisions.add_metric([verdict], count)
        yield decisions
        passed = CounterMetricFamily(
            "orion_boards_passed_over", "Boards that a decision left aside", labels=["reason"]
        )
        for reason, count in sorted(planner.journal.passed.items()):
            passed.add_metric([reason], count)
        refusals = CounterMetricFamily(
            "orion_refusals", "HTTP requests not admitted", labels=["reason"]
        )
        for reason, count in sorted(parts.desk.refusals.items()):
            refusals.add_metric([reason], count)
        fallbacks = CounterMetricFamily(
            "orion_fallbacks", "Requests that a smaller model answers", labels=["reason"]
        )
        for reason, count in sorted(parts.desk.naming.fallbacks.items()):
            fallbacks.add_metric([reason], count)
        yield from (passed, refusals, fallbacks)
        eligible = GaugeMetricFamily("orion_node_eligible", "1: may take work", labels=["node"])
        celsius = GaugeMetricFamily("orion_node_temperature_celsius", "SoC", labels=["node"])
        ram = GaugeMetricFamily("orion_node_ram_used_ratio", "1 - available/total", labels=["node"])
        watts = GaugeMetricFamily("orion_node_power_watts", "Measured", labels=["node"])
        running = GaugeMetricFamily("orion_node_requests_running", "Held", labels=["node"])
        for name, node in parts.watch.fleet.nodes.items():
            eligible.add_metric([name], int(node.eligible))
            running.add_metric([name], len(planner.backlog.load.get(name, ())))
            if node.health and node.health.temperature_c is not None:
                celsius.add_metric([name], node.health.temperature_c)
            if node.health and node.health.ram_used_percent is not None:
                ram.add_metric([name], node.health.ram_used_percent / 100)
            if node.health and node.health.power_w is not None:
                watts.add_metric([name], node.health.power_w)
        share = GaugeMetricFamily(
            "orion_node_rate_share", "Tokens per second over the best sustained rate",
            labels=["node", "model"],
        )  # fmt: skip
        for labels, value in parts.desk.canary.shares.items():
            share.add_metric(labels, value)
        yield from (eligible, celsius, ram, watts, running, share)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)
