"""What the API server refuses and fills in, by our CRD."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.kube import Kube, Refused
from orion_contracts.kubernetes import CRD_NAME, REVISION_ANNOTATION
from orion_lab.stores import StoreProcess
from orion_operator.crd import REVISION
from orion_operator.spec import read_spec
from servers.operators import Rig, resource, rig

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("definition")]

MODEL = {"name": "llama3.2:3b"}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("misspelt", {"tresholds": {"temperatureExcludeC": 70}}, 'unknown field "spec.tresholds"'),
    ("misspelt-deep", {"models": [MODEL | {"replica": 2}]},
     'unknown field "spec.models[0].replica"'),
    ("text-for-number", {"thresholds": {"temperatureExcludeC": "hot"}},
     "spec.thresholds.temperatureExcludeC"),
    ("too-hot", {"thresholds": {"temperatureExcludeC": 500}},
     "spec.thresholds.temperatureExcludeC"),
    ("return-above-exclude", {"thresholds": {"temperatureExcludeC": 60}},
     "spec.thresholds.temperatureReturnC: Invalid value"),
    ("ram-return", {"thresholds": {"ramReturnPercent": 95}},
     "ramReturnPercent must be below ramExcludePercent"),
    ("percent", {"thresholds": {"ramExcludePercent": 101}}, "spec.thresholds.ramExcludePercent"),
    ("quantity", {"nodeClasses": [{"name": "a", "minMemory": "12 gigs"}]},
     "spec.nodeClasses[0].minMemory"),
    ("class-name", {"nodeClasses": [{"name": "16 GB", "minMemory": "12Gi"}]},
     "spec.nodeClasses[0].name"),
    ("class-excluded", {"nodeClasses": [{"name": "excluded", "minMemory": "1Gi"}]},
     "nodeClasses[].name: excluded is the class below"),
    ("no-worker", {"nodeClasses": [{"name": "a", "minMemory": "1Gi", "roles": ["router"]}]},
     "nodeClasses[].roles: at least one class"),
    ("same-memory", {"nodeClasses": [{"name": "a", "minMemory": "1Gi"},
                                     {"name": "b", "minMemory": 1073741824}]},
     "nodeClasses[].minMemory: two classes"),
    ("role", {"nodeClasses": [{"name": "a", "minMemory": "1Gi", "roles": ["database"]}]},
     "spec.nodeClasses[0].roles[0]"),
    ("slots", {"nodes": [{"name": "pi", "slots": 0}]}, "spec.nodes[0].slots"),
    ("unknown-class", {"nodes": [{"name": "pi", "class": "32gb"}]},
     "nodes[].class must be the name"),
    ("watts", {"nodes": [{"name": "pi", "idleWatts": 9, "maxWatts": 3}]},
     "spec.nodes[0].idleWatts"),
    ("same-node-twice", {"nodes": [{"name": "pi"}, {"name": "pi"}]}, "spec.nodes[1]"),
    ("model-digest", {"models": [{"name": "llama3@sha256:0123"}]}, "spec.models[0].name"),
    ("model-host", {"models": [{"name": "localhost:5000/llama3"}]}, "spec.models[0].name"),
    ("model-twice", {"models": [{"name": "m"}, {"name": "m:latest"}]},
     "models[].name: the same model is listed twice"),
    ("placement-two-ways", {"models": [MODEL | {"placement": {"replicas": 1, "nodes": ["pi"]}}]},
     "spec.models[0].placement"),
    ("placement-none", {"models": [MODEL | {"placement": {}}]}, "exactly one of replicas, nodes"),
    ("placement-class", {"models": [MODEL | {"placement": {"classes": ["32gb"]}}]},
     "models[].placement.classes must be names"),
    ("replicas", {"models": [MODEL | {"placement": {"replicas": -1}}]},
     "spec.models[0].placement.replicas"),
    ("fallback-itself", {"models": [MODEL | {"fallback": "llama3.2:3b"}]},
     "spec.models[0].fallback"),
    ("fallback-unknown", {"models": [MODEL | {"fallback": "gone"}]},
     "models[].fallback must be the name of another model"),
    ("alias-taken", {"models": [MODEL | {"aliases": ["a"]}, {"name": "b", "aliases": ["a"]}]},
     "models[].aliases: an alias must be"),
    ("routing-word", {"routing": {"whenNoNodeEligible": "Panic"}},
     "spec.routing.whenNoNodeEligible"),
    ("queue-size", {"routing": {"maxQueueBytes": "lots"}}, "spec.routing.maxQueueBytes"),
    ("deadline", {"routing": {"defaultDeadlineSeconds": 0}},
     "spec.routing.defaultDeadlineSeconds"),
    ("feedback", {"feedback": {"taints": "yes"}}, "spec.feedback.taints"),
    ("too-many", {"models": [{"name": f"m{i}"} for i in range(65)]}, "spec.models: Too many"),
]  # fmt: skip


def dry_run(kube: Kube, spec: dict[str, Any]) -> dict[str, Any]:
    """`kubectl apply --dry-run=server`; the object as it would be stored. Raises Refused."""
    body = json.dumps(resource(kube.namespace, "tried", spec))
    command = ("apply", "--dry-run=server", "-o", "json", "-f", "-")
    stored: dict[str, Any] = json.loads(kube.kubectl(*command, stdin=body))
    return stored


@pytest.mark.parametrize(("spec", "said"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_resource_is_refused_at_apply(spec: dict[str, Any], said: str) -> None:
    """With a message that names the field."""
    with pytest.raises(Refused) as refused:
        dry_run(Kube("default"), spec)

    assert said in str(refused.value)


def test_at_least_twenty_wrong_resources_are_tried() -> None:
    """The promise is twenty."""
    assert len(WRONG) >= 20


def test_an_empty_spec_is_filled_in() -> None:
    """What is stored reads as what the operator assumes; `kubectl explain` knows each field."""
    stored = dry_run(Kube("default"), {})

    assert read_spec(stored["spec"]) == read_spec({})
    assert stored["spec"]["thresholds"]["temperatureExcludeC"] == 75
    said = Kube("default").kubectl("explain", "icl.spec.models.placement.replicas")
    assert "On so many boards" in said


def test_the_largest_resource_is_taken() -> None:
    """Sixty-four models with aliases and fallbacks, sixty-four nodes, sixteen classes: the rules
    stay within the API server's budget."""
    names = [f"registry/some-model-{i}:{'x' * 100}" for i in range(64)]
    aliases = [[f"alias-{i}-{j}" for j in range(8)] for i in range(64)]
    spec = {
        "nodeClasses": [{"name": f"c{i}", "minMemory": f"{i + 1}Gi"} for i in range(16)],
        "nodes": [{"name": f"pi-{i}", "class": f"c{i % 16}"} for i in range(64)],
        "models": [
            {"name": name, "aliases": aliases[i], "fallback": names[i - 1],
             "placement": {"classes": [f"c{j}" for j in range(16)]}}
            for i, name in enumerate(names)
        ],
    }  # fmt: skip

    assert len(dry_run(Kube("default"), spec)["spec"]["models"]) == 64


@pytest.fixture
def restored(tmp_path: Path, valkey: StoreProcess) -> Iterator[Rig]:
    """The cluster's CRD as it was, whatever the test did to it."""
    try:
        with rig(tmp_path, valkey) as made:
            yield made
    finally:
        Kube("default").kubectl("annotate", "crd", CRD_NAME, "--overwrite",
                                f"{REVISION_ANNOTATION}={REVISION}")  # fmt: skip


def revision() -> str:
    """Of the CRD in the cluster."""
    found = Kube("default").get(f"crd/{CRD_NAME}")
    return str(found["metadata"]["annotations"][REVISION_ANNOTATION])


def test_an_older_definition_is_upgraded_and_a_newer_one_stays(restored: Rig) -> None:
    """Helm never upgrades a CRD: the operator does, and only forward."""
    kube = Kube("default")
    columns = json.dumps([{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns"}])
    kube.kubectl("patch", "crd", CRD_NAME, "--type=json", "-p", columns)
    kube.kubectl("annotate", "crd", CRD_NAME, "--overwrite", f"{REVISION_ANNOTATION}=0")
    restored.start()
    assert revision() == str(REVISION)
    restored.until(lambda: "HOTTEST" in kube.kubectl("get", "icl", "-A"), "our columns")

    restored.operator.stop()
    kube.kubectl("annotate", "crd", CRD_NAME, "--overwrite", f"{REVISION_ANNOTATION}=99")
    restored.start()
    assert revision() == "99"
    assert "newer than this operator" in restored.operator.tail()
