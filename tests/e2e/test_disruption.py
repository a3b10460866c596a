"""Pods are deleted under load, the operator is gone: nothing is lost."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from e2e.conftest import SERVICE, stage, wait_ready
from e2e.kube import Kube, is_ready, until
from e2e.load import asking
from e2e.world import MODEL, World


def test_a_worker_deleted_in_mid_stream(kube: Kube) -> None:
    """The stream completes: Ollama stops after the agent, which finishes what it runs."""
    body = {"model": MODEL, "options": {"num_predict": 300, "temperature": 1},
            "messages": [{"role": "user", "content": "Tell me a long story."}]}  # fmt: skip
    with (
        kube.forwarded(SERVICE, 80) as url,
        httpx.stream("POST", f"{url}/api/chat", json=body, timeout=120, trust_env=False) as answer,
    ):
        lines = answer.iter_lines()
        first = json.loads(next(lines))
        assert first["message"]["content"]
        board = answer.headers["x-orion-node"]
        pod = next(p for p in kube.pods("worker") if p["spec"]["nodeName"] == board)
        kube.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
        rest = [json.loads(line) for line in lines]
    assert rest[-1]["done"] is True, rest[-1]
    assert len(rest) > 50
    wait_ready(kube)


@pytest.mark.parametrize("part", ["worker", "router", "store", "operator"])
def test_a_pod_deleted_under_load(kube: Kube, world: World, part: str) -> None:
    """0 lost, 0 duplicated; Ready again, with the time it took."""
    load = asking(kube, world, f"load-{part}", 40)
    pod = next(p for p in kube.pods(part) if p["spec"]["nodeName"] == world.node)
    name = pod["metadata"]["name"]
    began = time.monotonic()
    kube.kubectl("delete", "pod", name, "--wait=false")

    def back() -> bool:
        return any(is_ready(p) and p["metadata"]["uid"] != pod["metadata"]["uid"]
                   for p in kube.pods(part) if p["spec"].get("nodeName") == world.node)  # fmt: skip

    until(back, 120, f"the {part} is back")
    took_s = time.monotonic() - began
    verdict = load.finish()
    print(f"{part}: ready again after {took_s:.1f} s; {verdict.attempted} asked, "
          f"{verdict.acknowledged} acknowledged, {verdict.completed} completed, "
          f"lost {len(verdict.lost)}, duplicated {len(verdict.duplicated)}")  # fmt: skip
    assert verdict.acknowledged > 15
    assert not verdict.reasons, verdict.reasons


def test_a_deleted_store_remembers(kube: Kube) -> None:
    """What was answered before is known by its id afterwards, and nothing of its file was dropped:
    a store's users must not keep it from its own file."""
    body = {"model": MODEL, "options": {"num_predict": 8},
            "messages": [{"role": "user", "content": "Hello"}]}  # fmt: skip
    with kube.forwarded(SERVICE, 80) as url:
        asked = httpx.post(f"{url}/v1/requests?wait=60", json=body, timeout=90, trust_env=False)
    assert asked.status_code == 200, asked.text
    (pod,) = kube.pods("store")
    kube.kubectl("delete", "pod", pod["metadata"]["name"])
    wait_ready(kube)
    with kube.forwarded(SERVICE, 80) as url:
        path = f"{url}/v1/requests/{asked.json()['request_id']}"
        view = httpx.get(path, timeout=30, trust_env=False).json()
    assert (view["state"], view["final"]) == ("COMPLETED", asked.json()["final"])
    assert "AOF-loading-client" not in kube.kubectl("logs", pod["metadata"]["name"])


def test_a_minute_without_the_operator(kube: Kube, world: World) -> None:
    """Serving does not need it."""
    stage("operator away for a minute")
    kube.kubectl("scale", "deployment/orion-inference-operator", "--replicas=0")
    try:
        until(lambda: not kube.pods("operator"), 60, "it is gone")
        verdict = asking(kube, world, "load-alone", 60).finish()
        assert not verdict.reasons, verdict.reasons
        assert verdict.completed > 30
    finally:
        kube.kubectl("scale", "deployment/orion-inference-operator", "--replicas=1")
    wait_ready(kube)


def test_nothing_of_kopf_on_nodes(kube: Kube) -> None:
    """No finalizer, no annotation of the framework on any Node, none on our resources."""
    for each in [*kube.items("nodes"), *kube.items("icl")]:
        told = json.dumps(each["metadata"])
        assert "kopf" not in told, each["metadata"]["name"]
        assert not each["metadata"].get("finalizers"), each["metadata"]["name"]
