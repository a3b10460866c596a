"""Values: strict at every level, described, and refused by name where they make no sense."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from chart import matrix
from chart.expected import MISSPELT
from chart.rendering import CHART, HELMS, ROOT, Refused, text
from servers.needs import demand

pytestmark = [pytest.mark.needs("helm"), pytest.mark.timeout(60)]
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
FREE = {"global"}
"""Objects that we do not read."""

AT_ODDS: Mapping[str, Any] = {
    "router.allowUnauthenticated": {"router": {"service": {"type": "LoadBalancer"}}},
    "router.ingress.host": {"router": {"allowUnauthenticated": True, "ingress": {"enabled": True}}},
    "nodeClasses": {"nodeClasses": {"16gb": None}},
    "store.allowedClients.cidrs": {"store": {"service": {"type": "NodePort"}}},
    "externalRedis.caSecret": {"externalRedis": {"address": "host:6379", "caSecret": "ca"}},
    "externalRedis.auth.username": {
        "externalRedis": {"address": "host:6379", "auth": {"username": "me", "perRole": False}}
    },
}


@pytest.mark.parametrize("tool", HELMS)
@pytest.mark.parametrize("where", MISSPELT)
def test_a_wrong_value_is_refused_by_name(where: str, tool: str) -> None:
    """Misspelt or mistyped: nothing is rendered, and the message names the value."""
    demand(tool)

    with pytest.raises(Refused) as refusal:
        text(MISSPELT[where], name=tool)

    assert where in str(refusal.value)


@pytest.mark.parametrize("tool", HELMS)
@pytest.mark.parametrize("where", AT_ODDS)
def test_values_at_odds_are_refused_by_name(where: str, tool: str) -> None:
    """Each for itself is fine, together they are not: the message names one and the remedy."""
    demand(tool)

    with pytest.raises(Refused) as refusal:
        text(AT_ODDS[where], name=tool)

    assert f"{where}: " in str(refusal.value)


@pytest.mark.parametrize(
    "values",
    [
        {"store": {"auth": {"password": "hunter2"}}},
        {"store": {"auth": {"routerPassword": "hunter2"}}},
        {"externalRedis": {"auth": {"password": "hunter2"}}},
        {"externalRedis": {"address": "rediss://:hunter2@host:6379"}},
        {"router": {"extraArgs": ["--redis-password=hunter2"]}},
        {"worker": {"extraArgs": ["--redis-password", "hunter2"]}},
        {"operator": {"extraArgs": ["--redis-password=hunter2"]}},
    ],
    ids=json.dumps,
)
def test_16_a_password_in_values_is_refused(values: matrix.Values) -> None:
    """There is no value for one; it comes from a Secret."""
    with pytest.raises(Refused):
        text(values)


def objects_in(
    schema: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every object that a schema describes, with where it is."""
    if "object" in (schema.get("type") or ()) or "properties" in schema:
        yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from objects_in(each, f"{path}/{name}")
    for name, each in schema.get("definitions", {}).items():
        yield from objects_in(each, f"#{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from objects_in(schema[key], f"{path}/{key}")


def test_the_schema_is_strict_at_every_level() -> None:
    """Each object says what it may hold: named properties, or a type for all of them."""
    open_ended = [
        path
        for path, each in objects_in(SCHEMA)
        if each.get("additionalProperties") in (None, True) and path.strip("/") not in FREE
    ]

    assert open_ended == []


def test_every_value_is_described() -> None:
    """Each property of each object that is not Kubernetes' own shape has a description."""
    silent = [
        f"{path}/{name}"
        for path, each in objects_in(SCHEMA)
        if not path.startswith(("#toleration", "#selector", "#peer")) and "/items" not in path
        for name, inner in each.get("properties", {}).items()
        if not inner.get("description")
    ]

    assert silent == []


def keys(values: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Where values.yaml lacks a property that the schema names."""
    for name, each in schema.get("properties", {}).items():
        if name in FREE:
            continue
        if not isinstance(values, Mapping) or name not in values:
            yield f"{path}/{name}"
        elif "properties" in each:
            yield from keys(values[name], each, f"{path}/{name}")


def test_values_yaml_shows_every_value() -> None:
    """Whatever the schema names has its default in values.yaml (the schema refuses the reverse)."""
    assert list(keys(VALUES, SCHEMA)) == []


def test_every_value_is_used() -> None:
    """Each value's path occurs in a template: none is a promise without effect."""
    templates = "".join(
        path.read_text() for path in sorted((CHART / "templates").rglob("*")) if path.is_file()
    )
    unused = [
        name
        for _, each in objects_in(SCHEMA)
        for name in each.get("properties", {})
        if name not in FREE and f".{name}" not in templates and "resources" not in name
    ]
    whole = {
        "requests", "limits", "cpu", "memory",  # of resources
        "key", "operator", "value", "effect", "tolerationSeconds",  # of a toleration
        "namespaceSelector", "podSelector", "ipBlock", "cidr", "except",  # of a peer
        "matchLabels", "matchExpressions", "values", "name", "core", "worker",
    }  # fmt: skip

    assert sorted(set(unused) - whole) == []


def test_the_readme_tells_the_values_as_they_are() -> None:
    """Its table is what scripts/chart_readme.py writes from schema and values."""
    done = subprocess.run(
        [sys.executable, "scripts/chart_readme.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, f"run scripts/chart_readme.py: {done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    "path", ["/etc", "/etc/models", "/var/lib", "/var/../etc", "/models", "//mnt/ssd", "/usr/lib"]
)
def test_a_folder_of_the_system_is_not_for_models(path: str) -> None:
    """Everything in the folder is given to the user that runs Ollama: a slip breaks a board."""
    with pytest.raises(Refused, match="/ollama/storage/path"):
        text({"ollama": {"storage": {"path": path}}})


def test_folders_of_their_own_are() -> None:
    """On a disk of its own, in a home, and the default."""
    for path in ("/mnt/ssd/models", "/home/pi/models", "/var/lib/orion-inference/models"):
        assert path in text({"ollama": {"storage": {"path": path}}})
