"""Alerts and dashboards name metrics that exist, and say what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chart import matrix
from chart.rendering import CHART, ROOT, kind, objects, pods
from orion_agent.metrics import Metrics as WorkerMetrics
from orion_operator.metrics import Metrics as OperatorMetrics

pytestmark = [pytest.mark.needs("helm"), pytest.mark.timeout(60)]
ON = matrix.CHOICES["monitoring"]["on"]
DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
NAMED = re.compile(r"\borion_[a-z_]+")
SUFFIXES = ("_total", "_bucket", "_sum", "_count")


def declared() -> set[str]:
    """Names of metrics: of worker and operator from their registries, the others from the code."""
    own = [*WorkerMetrics().registry.collect(), *OperatorMetrics().registry.collect()]
    router = (ROOT / "router/orion_router/metrics.py").read_text()
    service = (ROOT / "agent/orion_agent/service.py").read_text()
    gauges = re.findall(r'metrics\.gauge\("([a-z_]+)"', service)
    return {
        *(metric.name for metric in own),
        *NAMED.findall(router),
        *(f"orion_worker_{name}" for name in gauges),
    }


def missing(expressions: list[str]) -> set[str]:
    """Metrics in PromQL that no process of ours has."""
    known = declared()
    known |= {name.removesuffix(suffix) for name in known for suffix in SUFFIXES}
    used = {name for expression in expressions for name in NAMED.findall(expression)}
    assert used
    return {
        name
        for name in used
        if name not in known and not any(name.removesuffix(s) in known for s in SUFFIXES)
    }


def rules() -> list[dict[str, Any]]:
    """The alerts."""
    (found,) = kind(objects(ON), "PrometheusRule")
    alerts: list[dict[str, Any]] = [r for g in found["spec"]["groups"] for r in g["rules"]]
    return alerts


def test_alerts_name_metrics_that_exist() -> None:
    """Each expression, and only in the namespace of the release."""
    expressions = [rule["expr"] for rule in rules()]

    assert missing(expressions) == set()
    for expression in expressions:
        selectors = re.findall(r"orion_[a-z_]+(\{[^}]*\})?", expression)
        assert all('namespace="pi-lab"' in selector for selector in selectors), expression


def test_alerts_say_what_to_do() -> None:
    """A severity, one line that says what is wrong, one that says where to look."""
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["description"].endswith(".")


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_name_metrics_that_exist(path: Path) -> None:
    """Each query; panels do not overlap; the data source is a variable."""
    board = json.loads(path.read_text())
    places: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        spot = panel["gridPos"]
        area = {(x, y) for x in range(spot["x"], spot["x"] + spot["w"])
                for y in range(spot["y"], spot["y"] + spot["h"])}  # fmt: skip
        assert not area & places, panel["title"]
        places |= area
        assert panel["datasource"]["uid"] == "${datasource}"

    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert missing(queries) == set()


def test_dashboards_become_config_maps() -> None:
    """With the label that Grafana's sidecar looks for; unchanged."""
    found = [
        each
        for each in kind(objects(ON), "ConfigMap")
        if each["metadata"]["labels"].get("grafana_dashboard") == "1"
    ]

    assert {name: json.loads(text) for each in found for name, text in each["data"].items()} == {
        path.name: json.loads(path.read_text()) for path in DASHBOARDS
    }


def test_prometheus_finds_every_process_that_has_metrics() -> None:
    """The ServiceMonitor's Service selects router, worker and operator, each by its own port."""
    found = objects(ON)
    (monitor,) = kind(found, "ServiceMonitor")
    (service,) = (s for s in kind(found, "Service") if s["metadata"]["name"].endswith("-metrics"))
    wanted = service["spec"]["selector"].items()

    assert monitor["spec"]["selector"]["matchLabels"].items() <= (
        service["metadata"]["labels"].items()
    )
    seen = {each.component for each in pods(found) if wanted <= dict(each.labels).items()}
    assert seen == {"router", "worker", "operator"}
    for each in pods(found):
        if each.component in seen:
            (name,) = (p["name"] for c in each.containers for p in c.get("ports", ())
                       if p["name"] == "metrics")  # fmt: skip
            assert service["spec"]["ports"][0]["targetPort"] == name
