"""The page about InferenceCluster says what definition and operator are."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys

import jsonschema
import pytest

from chart.rendering import Object
from docs import operator_words
from docs.cluster_commands import CHART
from docs.kubernetes_pages import RESOURCE, SCHEMA, paths, resources, strict, words_of_rows
from docs.pages import ROOT, read, section
from orion_contracts.kubernetes import API_VERSION, CRD_NAME
from orion_operator.spec import read_spec

_UNUSED = re.compile(r"\*\*Declared, without effect so far\*\*: (.*?)\. They", re.DOTALL)


def test_the_tables_are_those_of_the_definition() -> None:
    """scripts/crd_docs.py writes every field, rule and column of the CRD into the page."""
    done = subprocess.run(
        [sys.executable, "scripts/crd_docs.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"run scripts/crd_docs.py: {done.stdout}{done.stderr}"


def test_every_field_is_in_a_table_and_in_an_example() -> None:
    """What can be written is shown being written."""
    listed = set(re.findall(r"^\| `(spec\.[\w.\[\]]+)` \|", read(RESOURCE), re.MULTILINE))
    shown = {path for each in resources() for path in paths(each["spec"])}
    assert len(listed) > 30
    assert shown == listed


@pytest.mark.parametrize("resource", resources(), ids=lambda each: ",".join(each["spec"]))
def test_examples_are_valid_and_understood(resource: Object) -> None:
    """By the definition's schema, unknown fields refused, and by the operator's own reader."""
    assert resource["apiVersion"] == API_VERSION
    jsonschema.validate(resource, strict(SCHEMA))
    spec = read_spec(resource["spec"])
    assert {m["name"] for m in resource["spec"].get("models", ())} == {m.name for m in spec.models}


@pytest.mark.cluster
@pytest.mark.parametrize("resource", resources(), ids=lambda each: ",".join(each["spec"]))
def test_an_api_server_takes_the_examples(resource: Object) -> None:
    """With all rules of the definition, in a dry run."""
    crd = str(ROOT / CHART / "crds/inferenceclusters.yaml")
    kubectl = ["kubectl", "-n", "default"]
    there = subprocess.run([*kubectl, "get", "crd", CRD_NAME], capture_output=True, check=False)
    if there.returncode:
        subprocess.run([*kubectl, "create", "-f", crd], check=True, capture_output=True)
        subprocess.run([*kubectl, "wait", f"crd/{CRD_NAME}", "--for=condition=Established",
                        "--timeout=30s"], check=True, capture_output=True)  # fmt: skip
    try:
        done = subprocess.run(
            [*kubectl, "create", "--dry-run=server", "--validate=strict", "-f", "-"],
            input=json.dumps(resource), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    finally:
        if there.returncode:
            subprocess.run([*kubectl, "delete", "-f", crd], check=True, capture_output=True)


def test_every_condition_and_its_reasons_are_explained() -> None:
    """Each type has its heading, each reason a row below it; the default ones of the store and of
    resources that are not in force too."""
    found = operator_words.conditions()
    assert found["Ready"] >= {"Serving", "NoRouter"}
    for condition, reasons in found.items():
        rows = words_of_rows(section(RESOURCE, condition))
        assert reasons <= rows, f"{condition}: {reasons - rows}"
    explained = words_of_rows(read(RESOURCE))
    assert operator_words.reasons() <= explained, operator_words.reasons() - explained


def test_every_state_of_a_board_is_explained() -> None:
    """No more and no fewer than the operator has."""
    assert words_of_rows(section(RESOURCE, "States of a board")) == operator_words.STATES


def test_what_is_called_unused_is_unused() -> None:
    """A field is said to have no effect as long as no router and no worker reads it, or what both
    share."""
    wire = {
        "aliases": "aliases", "fallback": "fallback", "idleWatts": "idle_w", "maxWatts": "max_w",
        "starvationBoundSeconds": "starvation_bound_s", "energyTieSeconds": "energy_tie_s",
        "storageMiBPerSecond": "storage_bytes_per_second", "preload": "preload",
        "retain": "retain", "keepAliveSeconds": "keep_alive_seconds",
        "defaultDeadlineSeconds": "default_deadline_s", "drain": "drain", "slots": "slots",
        "maxQueueBytes": "max_queue_bytes", "maxQueueRequests": "max_queue_requests",
        "whenNoNodeEligible": "when_no_node_eligible", "maxWaitSeconds": "max_wait_s",
    }  # fmt: skip
    read_by_us: set[str] = set()
    for folder in ("agent/orion_agent", "router/orion_router", "contracts/orion_contracts"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.walk(ast.parse(path.read_text()))
            read_by_us |= {node.attr for node in tree if isinstance(node, ast.Attribute)}
    told = _UNUSED.search(read(RESOURCE))
    said = set[str](re.findall(r"`(\w+)`", told[1] if told else ""))

    assert said == {field for field, name in wire.items() if name not in read_by_us}
