"""`kubectl apply` of an InferenceCluster: it is understood, obeyed at once, and tells the story."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from e2e.boards import SecondBoard
from e2e.conftest import SERVICE
from e2e.kube import Kube, Object, Refused, until
from e2e.resources import NAME, apply, resource, says
from e2e.world import MODEL


def boards(http: httpx.Client) -> dict[str, Object]:
    """What the router sees of each board."""
    return {n["name"]: n for n in http.get("/v1/nodes").json()["nodes"]}


def eligible(http: httpx.Client, name: str) -> bool:
    """Whether a board gets work."""
    return bool(boards(http)[name]["eligible"])


def serves(http: httpx.Client, name: str) -> bool:
    """Whether a board gets work and holds the model."""
    return eligible(http, name) and MODEL in boards(http)[name]["resident"]


def decided(http: httpx.Client) -> set[str]:
    """Where the router sends eight requests that come together: of two boards that share a computer
    one may be several times as slow."""
    asked = {
        "model": MODEL, "options": {"num_predict": 48},
        "messages": [{"role": "user", "content": "Count to ten."}],
    }  # fmt: skip
    ids = [http.post("/v1/requests", json=asked).json()["request_id"] for _ in range(8)]

    def finals() -> list[str]:
        seen = [http.get(f"/v1/requests/{each}").json() for each in ids]
        return [s["node"] for s in seen] if all(s["state"] == "COMPLETED" for s in seen) else []

    return set(until(finals, 120, "eight requests are answered"))


def test_thresholds_change_decisions_within_5_s(kube: Kube, second: SecondBoard) -> None:
    """Two boards share the work; with the limit below the second one's 60 °C only the first gets
    any; and back."""
    with kube.forwarded(SERVICE, 80) as url, httpx.Client(base_url=url, timeout=60) as http:
        placed = {"models": [{"name": MODEL, "placement": {"classes": ["16gb", "8gb"]}}]}
        apply(kube, **placed)
        until(lambda: all(serves(http, name) for name in boards(http)), 120, "two boards serve")
        assert len(decided(http)) == 2
        limits = {"temperatureExcludeC": 50, "temperatureReturnC": 45}
        kube.apply(resource(**placed, thresholds=limits))
        began = time.monotonic()
        until(lambda: not eligible(http, second.board), 5, "the hot board is excluded", 0.1)
        print(f"excluded {time.monotonic() - began:.1f} s after kubectl apply")
        assert boards(http)[second.board]["reasons"] == ["hot"]
        assert second.board not in decided(http)
        kube.apply(resource(**placed))
        until(lambda: eligible(http, second.board), 15, "it returns")


def test_status_tells_the_story(kube: Kube) -> None:
    """Columns of `kubectl get icl`, conditions and Events of `kubectl describe icl`."""
    says(kube, "Ready", "True", 60)
    says(kube, "ConfigApplied", "True", 90)  # a status is written twice a minute at most
    header, _ = kube.kubectl("get", "icl", NAME).splitlines()
    assert header.split() == ["NAME", "READY", "NODES", "MODELS", "QUEUE", "HOTTEST", "AGE"]

    def columns() -> list[str]:
        return kube.kubectl("get", "icl", NAME).splitlines()[1].split()[1:5]

    until(lambda: columns() == ["True", "2/2", "1/1", "0"], 60, "the columns tell it")
    told = kube.kubectl("describe", "icl", NAME)
    for word in ("Ready", "Healthy", "ModelsPlaced", "ConfigApplied", "Events:"):
        assert word in told, told
    assert told.partition("Events:")[2].strip() != "<none>", told


def test_the_default_gives_way(kube: Kube) -> None:
    """The operator's own resource says who superseded it; a second one of yours is in conflict."""
    apply(kube)
    gave_way = says(kube, "Ready", "False", 30, "default")
    assert gave_way["reason"] == "Superseded"
    assert gave_way["message"].startswith(f"{NAME} is in force: ")
    second = resource()
    second["metadata"]["name"] = "second"
    kube.apply(second)
    try:
        lost = says(kube, "Ready", "False", 30, "second")
        assert lost["reason"] == "Conflict"
        assert lost["message"].startswith(f"{NAME} is in force in this namespace and is older")
        assert "Merge this one into it" in lost["message"]
    finally:
        kube.kubectl("delete", "icl", "second")


WRONG: dict[str, dict[str, Any]] = {
    "temperatureExcludeC": {"thresholds": {"temperatureExcludeC": 500}},
    "temperatureReturnC": {"thresholds": {"temperatureExcludeC": 60, "temperatureReturnC": 70}},
    "ramExcludePercent": {"thresholds": {"ramExcludePercent": "much"}},
    "ramReturnPercent": {"thresholds": {"ramExcludePercent": 80, "ramReturnPercent": 85}},
    "thresholds.temperature": {"thresholds": {"temperature": 70}},
    "treshold": {"treshold": {}},
    "whenNoNodeEligible": {"routing": {"whenNoNodeEligible": "Panic"}},
    "maxQueueRequests": {"routing": {"maxQueueRequests": 0}},
    "starvationBoundSeconds": {"routing": {"starvationBoundSeconds": -1}},
    "maxQueueBytes": {"routing": {"maxQueueBytes": "lots"}},
    "models[0].name": {"models": [{"name": "http://evil/x:y"}]},
    "models[0].name: Required": {"models": [{"preload": True}]},
    "placement": {"models": [{"name": "a", "placement": {"replicas": 1, "nodes": ["b"]}}]},
    "replicas": {"models": [{"name": "a", "placement": {"replicas": -1}}]},
    "keepAliveSeconds": {"models": [{"name": "a", "keepAliveSeconds": -5}]},
    "contextLength": {"models": [{"name": "a", "contextLength": 1}]},
    "Duplicate value": {"models": [{"name": "a"}, {"name": "a"}]},
    "slots": {"nodes": [{"name": "pi", "slots": 99}]},
    "minMemory": {"nodeClasses": [{"name": "x", "minMemory": "12 gigabytes"}]},
    "roles": {"nodeClasses": [{"name": "x", "minMemory": "1Gi", "roles": ["boss"]}]},
    "feedback.taints": {"feedback": {"taints": "yes"}},
}


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_resource_is_refused_at_apply(kube: Kube, field: str) -> None:
    """The API server's message names the field."""
    with pytest.raises(Refused) as refused:
        kube.kubectl("apply", "--dry-run=server", "-f", "-",
                     stdin=json.dumps(resource(**WRONG[field])))  # fmt: skip
    assert field in str(refused.value)
