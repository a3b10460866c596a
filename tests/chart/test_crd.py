"""The CRD as the API server will hold it (check 36), and as the chart carries it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, text
from orion_contracts import kubernetes

CRD: dict[str, Any] = yaml.safe_load((CHART / "crds/inferenceclusters.yaml").read_text())
VERSION: dict[str, Any] = CRD["spec"]["versions"][0]
SCHEMA: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]


def nodes(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every part of the schema with its path."""
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from nodes(each, f"{path}.{name}")
    if isinstance(schema.get("items"), Mapping):
        yield from nodes(schema["items"], f"{path}[]")


OF_USERS = [(path, each) for path, each in nodes(SCHEMA) if path.startswith(".spec")]


def test_names_are_those_of_the_contract() -> None:
    """Group, version, kind and short name."""
    names = CRD["spec"]["names"]

    assert CRD["metadata"]["name"] == kubernetes.CRD_NAME
    assert (CRD["spec"]["group"], VERSION["name"]) == (kubernetes.GROUP, kubernetes.VERSION)
    assert (names["kind"], names["plural"]) == (kubernetes.KIND, kubernetes.PLURAL)
    assert kubernetes.SHORT_NAME in names["shortNames"]
    assert CRD["spec"]["scope"] == "Namespaced"
    assert VERSION["subresources"] == {"status": {}}


def test_36_structural_and_closed() -> None:
    """Each part has one type; unknown fields are pruned, not preserved."""
    for path, each in nodes(SCHEMA):
        assert "type" in each or each.get("x-kubernetes-int-or-string"), path
        assert "x-kubernetes-preserve-unknown-fields" not in each, path
        assert "additionalProperties" not in each or path.startswith(".status"), path


def test_36_everything_that_a_person_writes_is_bounded() -> None:
    """Lists and texts have a largest size, numbers both ends: rules stay cheap, status small."""
    unbounded: list[str] = []
    for path, each in OF_USERS:
        needed = {
            "array": ("maxItems",), "string": ("maxLength",),
            "integer": ("minimum", "maximum"), "number": ("minimum", "maximum"),
        }.get(str(each.get("type")), ())  # fmt: skip
        if "enum" not in each:
            unbounded += [f"{path}: {word}" for word in needed if word not in each]

    assert unbounded == []


def test_36_everything_that_a_person_writes_is_described() -> None:
    """`kubectl explain` has an answer."""
    assert [
        path for path, each in OF_USERS if not each.get("description") and "[]" not in path
    ] == []


def test_36_rules_refuse_nonsense_by_name() -> None:
    """CEL rules have a message; each of the issue's three is there."""
    rules = [rule for _, each in nodes(SCHEMA) for rule in each.get("x-kubernetes-validations", ())]
    messages = " ".join(rule["message"] for rule in rules)

    assert all(rule["message"] for rule in rules)
    for word in ("nodeClasses", "placement", "models[].fallback"):
        assert word in messages


@pytest.mark.needs("helm")
@pytest.mark.timeout(60)
def test_the_crd_is_installed_by_helm_and_by_nothing_else() -> None:
    """It is in crds/, which helm never upgrades nor deletes, and in no template."""
    assert "CustomResourceDefinition\n" not in text()
    assert [path.name for path in (CHART / "crds").iterdir()] == ["inferenceclusters.yaml"]
