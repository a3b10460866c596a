"""The typed spec, and the CRD that is generated from it."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from orion_contracts import kubernetes
from orion_contracts.config import DEFAULT_CONFIG
from orion_contracts.limits import check_model
from orion_operator.crd import COLUMNS, REVISION, as_yaml, definition
from orion_operator.fields import InvalidResource, read, rules_of, write
from orion_operator.quantity import to_bytes
from orion_operator.spec import ClusterSpec, read_spec
from orion_operator.spec_fleet import NodeClassSpec, NodeSpec, ThresholdSpec
from orion_operator.spec_models import FeedbackSpec, ModelSpec, PlacementSpec, RoutingSpec
from orion_operator.status_types import ClusterStatus, Condition, ModelRow, NodeRow, Summary

ROOT = Path(__file__).parents[3]
PACKAGED = ROOT / "charts/orion-inference/crds/inferenceclusters.yaml"
SPEC_TYPES = (ClusterSpec, ThresholdSpec, NodeClassSpec, NodeSpec, ModelSpec, PlacementSpec,
              RoutingSpec, FeedbackSpec)  # fmt: skip
STATUS_TYPES = (ClusterStatus, Condition, NodeRow, ModelRow, Summary)
REVISIONS = {1: "b7e91c32ceb35b71", 2: "758afe9b4c093812", 3: "bee36673adb9850f"}
"""Revision of the CRD to the digest of its schema. A change of the schema raises REVISION in
crd.py and adds a line here, so that an operator replaces what an older one applied."""


def schema(kind: str = "spec") -> dict[str, Any]:
    """The schema of spec or status."""
    version = definition()["spec"]["versions"][0]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"][kind]
    return found


def test_an_empty_spec_has_the_customers_defaults() -> None:
    """75 °C, 70 °C, 90 %, 85 %; 16 GB routes and works, 8 GB works; the queue's limits."""
    spec = read_spec({})

    assert spec == ClusterSpec() == read_spec(None)
    for name, value in dataclasses.asdict(DEFAULT_CONFIG.thresholds).items():
        assert getattr(spec.thresholds, name) == value
    assert [(c.name, c.roles, c.slots) for c in spec.node_classes] == [
        ("16gb", ("router", "worker"), 1),
        ("8gb", ("worker",), 1),
    ]
    assert (spec.routing.max_queue_requests, spec.routing.max_queue_bytes) == (256, 64 << 20)
    assert (spec.feedback.node_conditions, spec.feedback.taints) == (False, False)


def test_what_the_api_server_fills_in_is_what_python_assumes() -> None:
    """A spec with all of the schema's defaults reads the same as an empty one."""
    assert read_spec(schema()["default"]) == ClusterSpec()


def test_a_full_spec_is_read() -> None:
    """Every field finds its place, quantities as bytes."""
    spec = read_spec(
        {
            "thresholds": {"temperatureExcludeC": 70, "temperatureReturnC": 65.5},
            "nodeClasses": [{"name": "big", "minMemory": 17179869184, "slots": 4}],
            "nodes": [{"name": "pi", "class": "big", "drain": True, "storageMiBPerSecond": 90}],
            "models": [
                {
                    "name": "m:1b",
                    "placement": {"nodes": ["pi"]},
                    "keepAliveSeconds": 60,
                    "contextLength": 2048,
                    "aliases": ["m"],
                    "retain": False,
                }
            ],
            "routing": {"maxQueueBytes": "1Gi", "defaultDeadlineSeconds": 60},
            "feedback": {"taints": True},
        }
    )

    assert spec.thresholds.temperature_return_c == 65.5
    assert spec.node_classes[0].min_memory_bytes == 16 << 30
    assert spec.node("pi").node_class == "big"
    assert spec.node("pi").storage_mib_per_s == 90
    assert spec.node("other") == NodeSpec(name="other")
    assert spec.models[0].placement == PlacementSpec(nodes=("pi",))
    assert (spec.models[0].keep_alive_s, spec.models[0].retain) == (60, False)
    assert (spec.routing.max_queue_bytes, spec.routing.default_deadline_s) == (1 << 30, 60)
    assert spec.feedback.taints


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"models": [{}]}, r"spec\.models\[0\]\.name: is required"),
    ({"models": {}}, r"spec\.models: must be of type array, is dict"),
    ({"thresholds": {"temperatureExcludeC": "hot"}}, r"temperatureExcludeC: must be of type"),
    ({"thresholds": {"temperatureExcludeC": 500}}, r"temperatureExcludeC: must be from 30"),
    ({"routing": {"whenNoNodeEligible": "Panic"}}, r"must be one of Queue, LeastBad, Reject"),
    ({"nodeClasses": [{"name": "a", "minMemory": "much"}]}, r"minMemory: 'much' is no quant"),
    ({"nodes": [{"name": "a", "drain": 1}]}, r"spec\.nodes\[0\]\.drain: must be of type bool"),
    ({"nodes": [{"name": "a", "slots": True}]}, r"slots: must be of type integer, is bool"),
    (
        {"models": [{"name": "c"}, {"name": "a", "fallback": "b"}, {"name": "b", "fallback": "a"}]},
        r"spec\.models\[1\]\.fallback: a:latest → b:latest → a:latest is a circle",
    ),
    (
        {"models": [{"name": "a", "aliases": ["b:latest"]}, {"name": "b"}]},
        r"spec\.models\[0\]\.aliases: b:latest is another model's own name",
    ),
]


@pytest.mark.parametrize(("spec", "message"), NONSENSE)
def test_nonsense_names_its_field(spec: dict[str, Any], message: str) -> None:
    """What an older CRD let pass is refused with the path to it."""
    with pytest.raises(InvalidResource, match=message):
        read_spec(spec)


@pytest.mark.parametrize(
    ("quantity", "size"),
    [(5, 5), ("5", 5), ("12Gi", 12 << 30), ("8039524Ki", 8039524 << 10), ("1.5Gi", 3 << 29),
     ("500M", 500_000_000), ("1e9", 10**9), ("64Mi", 64 << 20)],
)  # fmt: skip
def test_quantities_are_bytes(quantity: int | str, size: int) -> None:
    """As Kubernetes writes memory."""
    assert to_bytes(quantity) == size


@pytest.mark.parametrize("wrong", ["", "Gi", "-1", "12 Gi", "12GiB", "0x10", "1" * 30])
def test_what_is_no_quantity_is_refused(wrong: str) -> None:
    """With the remedy in the message."""
    with pytest.raises(ValueError, match="write bytes, or like 12Gi"):
        to_bytes(wrong)


def test_the_charts_definition_is_this_one() -> None:
    """`make crd` was run: what Helm installs is what the operator's types say."""
    assert PACKAGED.read_text() == as_yaml(), "run: make crd"
    assert yaml.safe_load(as_yaml()) == definition()


def test_a_changed_schema_has_a_new_revision() -> None:
    """Otherwise an upgraded operator would leave the old definition in the cluster."""
    digest = hashlib.sha256(orjson.dumps(definition()["spec"])).hexdigest()[:16]

    assert max(REVISIONS) == REVISION
    assert REVISIONS[REVISION] == digest, f"raise REVISION and note {digest}"


def test_names_are_the_contracts() -> None:
    """Group, kind, plural, short name, columns."""
    spec = definition()["spec"]

    assert definition()["metadata"]["name"] == "inferenceclusters.inference.orion.dev"
    assert (spec["group"], spec["names"]["shortNames"]) == ("inference.orion.dev", ["icl"])
    assert spec["names"]["kind"] == kubernetes.KIND == "InferenceCluster"
    assert [c[0] for c in COLUMNS] == ["Ready", "Nodes", "Models", "Queue", "Hottest", "Age"]
    assert spec["versions"][0]["subresources"] == {"status": {}}


def walk(node: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every schema below this one."""
    found = [(path, node)]
    for name, each in node.get("properties", {}).items():
        found += walk(each, f"{path}.{name}")
    if "items" in node:
        found += walk(node["items"], f"{path}[]")
    return found


@pytest.mark.parametrize("kind", ["spec", "status"])
def test_every_field_is_described_and_bounded(kind: str) -> None:
    """Structural, no unknown fields kept, texts, lists and the spec's numbers with a limit."""
    for path, node in walk(schema(kind)):
        assert "x-kubernetes-preserve-unknown-fields" not in node, path
        if not path.endswith("[]"):
            assert node.get("description"), path
        if node.get("type") == "array":
            assert node["maxItems"] <= 64, path
        if node.get("type") == "string" and "enum" not in node and "format" not in node:
            assert node["maxLength"] <= 2048, path
        if kind == "spec" and node.get("type") in ("integer", "number"):
            assert {"minimum", "maximum"} <= set(node), path


def test_the_status_is_not_filled_in_by_the_api_server() -> None:
    """It says what was observed; the spec says its defaults."""
    assert not [path for path, node in walk(schema("status")) if "default" in node]
    assert [path for path, node in walk(schema()) if "default" in node]


def test_model_names_are_those_of_the_contract() -> None:
    """The CRD's pattern accepts and refuses what `check_model` does."""
    import re

    pattern = rules_of(ModelSpec)["name"][1].schema["pattern"]
    good = ["llama3.2:3b", "hf.co/user/Model-GGUF:Q4_K_M", "a"]
    bad = ["localhost:5000/x", "x@sha256:abc", "http://x/y", " x", "x:", "../x", "x y"]
    for name in good:
        check_model(name)
        assert re.search(pattern, name), name
    for name in bad:
        with pytest.raises(Exception, match="model"):
            check_model(name)
        assert not re.search(pattern, name), name


@pytest.mark.parametrize("kind", [*SPEC_TYPES, *STATUS_TYPES])
def test_what_is_written_is_read(kind: type[Any]) -> None:
    """The reader takes back what the writer makes, for every type."""
    required = {"name": "a", "type": "Ready", "status": "True", "min_memory_bytes": 5}
    needed = [f for f, (_, _, is_needed) in rules_of(kind).items() if is_needed]
    value = kind(**{field: required[field] for field in needed})

    assert read(kind, write(value)) == value


def test_a_merge_patch_takes_away_what_is_none() -> None:
    """Null in objects, nothing in lists: lists are replaced whole."""
    status = ClusterStatus(nodes=(NodeRow(name="a"),))
    patch = write(status, blanks=True)

    assert patch["summary"]["queue"] is None
    assert "temperatureBandC" not in patch["nodes"][0]
    assert write(status)["summary"].get("queue", "absent") == "absent"
