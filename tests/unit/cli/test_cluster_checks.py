"""What `orion doctor` concludes from the Kubernetes API, and how it asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from orion_cli import cluster
from orion_cli.checks import Finding
from orion_cli.cluster_checks import check_cluster
from orion_cli.facts import ClusterFacts, Told
from orion_contracts.kubernetes import CRD_NAME, REVISION_ANNOTATION
from orion_operator.crd import REVISION

GOOD = ClusterFacts(
    namespace="orion",
    revision=2,
    wanted_revision=2,
    conditions=(
        Told(resource="home", type="Ready", status="True", reason="Serving"),
        Told(resource="home", type="ImageMissing", status="False", reason="AllThere"),
        Told(resource="default", type="Ready", status="False", reason="Superseded"),
    ),
    operators=("operator-a",),
    holder="operator-a",
)


def judged(**changes: Any) -> dict[str, Finding]:
    """The findings about a good namespace with these changes, by subject."""
    return {f.subject: f for f in check_cluster(replace(GOOD, **changes))}


def test_a_good_namespace_has_nothing_to_say() -> None:
    """All ok; a default that gave way is not in trouble."""
    found = judged()

    assert {f.level for f in found.values()} == {"ok"}
    assert found.keys() == {"definition", "operator", "conditions"}


@pytest.mark.parametrize(
    ("changes", "subject", "level", "text", "remedy"),
    [
        ({"error": "403"}, "kubernetes", "fail", "403", "Role"),
        ({"revision": None}, "definition", "fail", "not defined", "crd | kubectl apply"),
        ({"revision": 1}, "definition", "fail", "1 is older than this operator's 2", "kubectl"),
        ({"operators": ("operator-a", "operator-b")}, "operator", "warn",
         "operator-a acts, operator-b only waits", "keep one"),
        ({"holder": ""}, "operator", "warn", "nobody has it", "log"),
        ({"holder": "cleanup"}, "operator", "warn", "cleanup has it and is not here", "wait"),
        ({"conditions": ()}, "conditions", "warn", "no InferenceCluster", "logs"),
    ],
)  # fmt: skip
def test_each_trouble_has_its_level_and_remedy(
    changes: dict[str, Any], subject: str, level: str, text: str, remedy: str
) -> None:
    """One thing wrong, one finding that says so and what to do."""
    finding = judged(**changes)[subject]

    assert finding.level == level
    assert text in finding.text
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("kind", "status", "reason", "level"),
    [
        ("Ready", "False", "StoreUnreachable", "fail"),
        ("ImageMissing", "True", "CannotPull", "fail"),
        ("ConfigApplied", "False", "StoreShared", "fail"),
        ("ConfigApplied", "False", "RoutersBehind", "warn"),
        ("ModelsPlaced", "False", "DoesNotFit", "warn"),
        ("Conflict", "True", "OwnedElsewhere", "warn"),
    ],
)
def test_a_bad_condition_is_told_in_the_operators_words(
    kind: str, status: str, reason: str, level: str
) -> None:
    """With the resource, and where the reason is explained."""
    told = Told(resource="home", type=kind, status=status, reason=reason, message="why; remedy")
    found = judged(conditions=(told,))

    finding = found["icl home"]
    assert finding.level == level
    assert finding.text == f"{kind} is {status}, {reason}: why; remedy"
    assert "kubectl -n orion describe icl home" in finding.remedy
    assert "conditions" not in found


def _answers(request: httpx.Request) -> httpx.Response:
    """An API server with an old definition and two operators, one of them on its way out."""
    pods: list[dict[str, Any]] = [
        {"metadata": {"name": "operator-b"}, "status": {"phase": "Running"}},
        {"metadata": {"name": "operator-a"}, "status": {"phase": "Running"}},
        {"metadata": {"name": "gone", "deletionTimestamp": "t"}, "status": {"phase": "Running"}},
        {"metadata": {"name": "waits"}, "status": {"phase": "Pending"}},
    ]
    condition = {"type": "Ready", "status": "False", "reason": "NoRouter", "message": "why"}
    documents: dict[str, dict[str, Any]] = {
        CRD_NAME: {"metadata": {"annotations": {REVISION_ANNOTATION: "1"}}},
        "inferenceclusters": {"items": [
            {"metadata": {"name": "home"}, "status": {"conditions": [condition]}},
            {"metadata": {"name": "new"}},
        ]},
        "pods": {"items": pods},
    }  # fmt: skip
    found = documents.get(request.url.path.rpartition("/")[2])
    return httpx.Response(404 if found is None else 200, json=found or {})


def test_the_api_server_is_read() -> None:
    """Pods that run and stay, conditions of all resources; what is not there is no error."""
    transport = httpx.MockTransport(_answers)
    with httpx.Client(base_url="https://kubernetes", transport=transport) as api:
        facts = cluster.read(api, "orion")

    assert facts == ClusterFacts(
        namespace="orion",
        revision=1,
        wanted_revision=REVISION,
        conditions=[Told(resource="home", type="Ready", status="False", reason="NoRouter",
                         message="why")],
        operators=["operator-a", "operator-b"],
        holder="",
    )  # fmt: skip


def test_without_a_token_nothing_is_asked(tmp_path: Path) -> None:
    """As in the pods of router and workers."""
    assert cluster.look({"KUBERNETES_SERVICE_HOST": "10.43.0.1"}, tmp_path) is None
