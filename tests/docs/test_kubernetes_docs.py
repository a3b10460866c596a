"""The pages about Kubernetes name what the chart has: values, objects, rights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from chart import matrix
from chart.rendering import Object, kind, objects
from docs import cluster_commands
from docs.cluster_commands import CHART, NAMESPACE, RELEASE, commands, options, plain, references
from docs.kubernetes_pages import MORE, PAGES, SCHEMA, VALUES, blocks, field_names, merged
from docs.pages import ROOT, anchors, links, section
from orion_contracts.kubernetes import CRD_NAME

WITH_FEEDBACK = {"feedback": {"enabled": True}}
CLAIM = matrix.CHOICES["ollama"]["claim"]
named = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@named
def test_every_yaml_block_is_checked(page: Path) -> None:
    """A resource, values, or a file of the board whose path it names."""
    for block in blocks(page):
        assert block.startswith(("apiVersion: ", "# values.yaml", "# /etc/rancher/k3s/")), block
        assert isinstance(yaml.safe_load(block), dict)


@named
def test_examples_of_values_are_valid(page: Path) -> None:
    """Laid over the chart's own, by its schema."""
    schema = json.loads((ROOT / CHART / "values.schema.json").read_text())
    for block in blocks(page):
        if block.startswith("# values.yaml"):
            jsonschema.validate(merged(VALUES, yaml.safe_load(block)), schema)


@named
def test_values_that_are_named_exist(page: Path) -> None:
    """`router.ingress` and its kin, in the text and in --set."""
    text = page.read_text()
    told = set(re.findall(r"`([a-z]\w+(?:\.[\w*]+)+)(?::[^`]*)?`", text))
    told |= {v.partition("=")[0] for c in commands(text) for n, v in options(c) if n == "--set"}
    fields = {path.removeprefix("spec.").replace("[]", "") for path in field_names(SCHEMA)}
    for name in sorted(told):
        first, *rest = name.split(".")
        if first not in VALUES or name in fields:
            continue
        place: Any = VALUES[first]
        for part in rest:
            assert part == "*" or part in place, f"{page.name}: no value {name}"
            place = place if part == "*" else place[part]


@pytest.mark.needs("helm")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("page", [*PAGES, *MORE], ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_name_what_is_there(page: Path) -> None:
    """kubectl: objects, containers, labels and accounts of the rendered chart. helm: our release
    and chart."""
    found = objects(namespace=NAMESPACE)
    there = cluster_commands.there([*found, *objects(CLAIM, namespace=NAMESPACE)], CRD_NAME)
    accounts = {f"system:serviceaccount:{NAMESPACE}:{a['metadata']['name']}"
                for a in kind(found, "ServiceAccount")}  # fmt: skip
    for words in commands(page.read_text()):
        given = dict(options(words))
        assert given.get("-n", given.get("--namespace", NAMESPACE)) == NAMESPACE, words
        assert given.get("--as", min(accounts)) in accounts, words
        if words[0] == "helm":
            for each in plain(words)[2:]:
                assert each == RELEASE or each.isdigit() or (ROOT / each).is_dir(), words
            continue
        assert set(references(words)) <= there, words
        assert given.get("-c", "ollama") in cluster_commands.containers(found), words
        if "-l" in given:
            assert given["-l"] in cluster_commands.labels(found), words


@pytest.mark.needs("helm")
@pytest.mark.timeout(60)
def test_what_a_deleted_namespace_leaves_is_listed() -> None:
    """Every object of no namespace, in any mode, has its command among those of Uninstall."""
    left = {
        f"{each['kind']}/{each['metadata']['name']}"
        for each in [*objects(namespace=NAMESPACE), *objects(CLAIM, namespace=NAMESPACE)]
        if "namespace" not in each["metadata"]
    }
    told = {
        reference
        for words in commands(section("docs/kubernetes/operations.md", "Uninstall"))
        if words[:2] == ["kubectl", "delete"]
        for reference in references(words)
    }

    assert left <= told


@pytest.mark.needs("helm")
@pytest.mark.timeout(60)
def test_every_guard_is_explained() -> None:
    """Each admission policy has its row in rbac.md."""
    text = section("docs/kubernetes/rbac.md", "What the guards add")
    guards = kind(objects(namespace=NAMESPACE), "ValidatingAdmissionPolicy")

    assert {each["metadata"]["name"] for each in guards} == set(
        re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)
    )


@pytest.mark.needs("helm")
@pytest.mark.timeout(60)
def test_every_right_is_explained() -> None:
    """The tables of rbac.md are the rendered Role and ClusterRole, verb by verb."""
    found = objects(WITH_FEEDBACK, namespace=NAMESPACE)
    for heading, of in (("in its namespace", "Role"), ("in the cluster", "ClusterRole")):
        (role,) = kind(found, of)
        text = section("docs/kubernetes/rbac.md", f"The operator {heading}")
        told: set[tuple[str, str, str]] = set()
        for row in re.findall(r"^\| (`.*) \|$", text, re.MULTILINE):
            resource, only, verbs, why = (cell.strip() for cell in row.split("|"))
            assert len(why) > 10, row
            told |= {(resource.strip("`"), only.strip("`"), v) for v in re.findall(r"\w+", verbs)}

        assert f"{of} `{role['metadata']['name']}`" in text
        assert told == set(_rights(role))


def _rights(role: Object) -> Iterator[tuple[str, str, str]]:
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                name, slash, sub = resource.partition("/")
                full = (f"{name}.{group}" if group else name) + slash + sub
                for only in rule.get("resourceNames", [""]):
                    yield from ((full, only, verb) for verb in rule["verbs"])


def test_links_of_the_chart_lead_somewhere() -> None:
    """Its README too (those of docs/ are checked with all others)."""
    page = ROOT / CHART / "README.md"
    for link in links(page):
        path, _, anchor = link.partition("#")
        if not re.match(r"[a-z]+:", link):
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link
