"""`helm install`, and it runs: one address, a real model, every pod where it belongs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from e2e.conftest import RELEASE, SERVICE
from e2e.kube import Kube, is_fake, is_ready, until
from e2e.nodes import CLASS, added, label, workers_on
from e2e.world import MODEL

WORKERS = ("16gb", "8gb")
ASKED = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
}


@pytest.fixture(scope="module")
def address(kube: Kube) -> Iterator[str]:
    """Where a person's browser would point: the Service, forwarded."""
    with kube.forwarded(SERVICE, 80) as url:
        yield url


def test_health_passes(address: str) -> None:
    """`kubectl port-forward svc/orion-inference` and /health."""
    answer = httpx.get(f"{address}/health", trust_env=False)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] in ("pass", "warn"), answer.text


def test_both_protocols_answer_from_the_real_model(address: str) -> None:
    """/api/chat and /v1/chat/completions, streamed and not, say Paris."""
    options = {"options": {"temperature": 0, "num_predict": 24}}
    ollama = httpx.post(f"{address}/api/chat", json={**ASKED, **options, "stream": False},
                        timeout=120, trust_env=False)  # fmt: skip
    assert "Paris" in ollama.json()["message"]["content"], ollama.text
    openai = httpx.post(f"{address}/v1/chat/completions", timeout=120, trust_env=False,
                        json={**ASKED, "temperature": 0, "max_tokens": 24})  # fmt: skip
    assert "Paris" in openai.json()["choices"][0]["message"]["content"], openai.text
    with httpx.stream("POST", f"{address}/api/chat", json={**ASKED, **options}, timeout=120,
                      trust_env=False) as streamed:  # fmt: skip
        lines = [json.loads(line) for line in streamed.iter_lines()]
    assert len(lines) > 3
    assert lines[-1]["done"] is True


def test_every_pod_is_where_it_belongs(kube: Kube) -> None:
    """One operator, router and store, router and store on a router-class board, a worker on each
    board of a worker class and nothing on the rest; of ours only DaemonSets' pods sit on a board
    that only pretends."""
    nodes = {n["metadata"]["name"]: n for n in kube.items("nodes")}
    classes = {name: n["metadata"]["labels"].get(CLASS, "") for name, n in nodes.items()}
    seen: dict[str, list[str]] = {}
    for pod in kube.items("pods", "-l", f"app.kubernetes.io/instance={RELEASE},!test"):
        on = pod["spec"].get("nodeName")
        assert on in nodes, f"{pod['metadata']['name']} is on {on}: {pod['status']}"
        seen.setdefault(pod["metadata"]["labels"]["app.kubernetes.io/component"], []).append(on)
    assert seen.keys() == {"operator", "router", "store", "worker"}
    assert sorted(seen["worker"]) == sorted(n for n, c in classes.items() if c in WORKERS)
    assert set(classes.values()) <= {*WORKERS, "excluded"}
    for part in ("router", "store"):
        assert [classes[on] for on in seen[part]] == ["16gb"], (part, seen)
    for part in ("operator", "router", "store"):
        (on,) = seen[part]
        assert classes[on] != "excluded", (part, seen)
        assert not is_fake(nodes[on]), (part, seen)


def test_labels_appear_by_themselves(kube: Kube) -> None:
    """Each board has the class of its memory; the 4 GB board has no worker."""
    classes = {n["metadata"]["name"]: (n["metadata"]["labels"].get(CLASS),
                                       n["status"]["capacity"]["memory"])
               for n in kube.items("nodes")}  # fmt: skip
    assert all(board for board, _ in classes.values()), classes
    for name, (board, _) in classes.items():
        expected = 0 if board == "excluded" else 1
        assert len(workers_on(kube, name)) == expected, (name, board)


@pytest.fixture(scope="module")
def _pretend(kube: Kube) -> None:
    if not any(map(is_fake, kube.items("nodes"))):
        pytest.skip("needs kwok: boards that join and leave")


@pytest.mark.usefixtures("_pretend")
def test_a_board_that_joins(kube: Kube) -> None:
    """8 GiB: labelled, and gets a worker. 4 GiB: excluded, and gets none."""
    with added(kube, "pi-late-8", 8) as eight, added(kube, "pi-late-4", 4) as four:
        until(lambda: label(kube, eight) == "8gb", 60, f"{eight} is labelled")
        until(lambda: label(kube, four) == "excluded", 30, f"{four} is labelled")
        until(lambda: workers_on(kube, eight), 30, f"{eight} has a worker")
        assert workers_on(kube, four) == []


def test_a_label_changed_by_hand_is_corrected(kube: Kube) -> None:
    """The class is the operator's: people say it in the resource (spec.nodes[].class)."""
    node = next(n["metadata"]["name"] for n in kube.items("nodes") if not is_fake(n))
    before = label(kube, node)
    kube.kubectl("label", "node", node, f"{CLASS}=8gb", "--overwrite")
    until(lambda: label(kube, node) == before, 30, "the label is corrected")
    until(lambda: all(is_ready(p) for p in kube.pods("router")), 60, "the router stays")
