"""Values: strict at every level, described, and refused by name where they make no sense."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

import orion_agent.settings
import orion_operator.settings
import orion_router.settings
from chart import matrix
from chart.expected import MISSPELT
from chart.rendering import CHART, HELMS, ROOT, Refused, objects, pod, text
from servers.needs import demand

pytestmark = [pytest.mark.needs("helm"), pytest.mark.timeout(60)]
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
FREE = {"global"}
"""Objects that we do not read."""

THEIRS = {"address": "host:6379", "auth": {"existingSecret": "theirs"}}
AT_ODDS: Mapping[str, tuple[str, Any, str]] = {
    "open to the world": (
        "router.allowUnauthenticated", {"router": {"service": {"type": "LoadBalancer"}}},
        "keep router.service.type=ClusterIP",
    ),
    "an Ingress for no host": (
        "router.ingress.host",
        {"router": {"allowUnauthenticated": True, "ingress": {"enabled": True}}}, "host name",
    ),
    "no router": ("nodeClasses", {"nodeClasses": {"16gb": None}}, "no class has the role router"),
    "a store for everybody": (
        "store.allowedClients.cidrs", {"store": {"service": {"type": "NodePort"}}},
        "for example [",
    ),
    "more than fits": (
        "store.maxMemory", {"store": {"maxMemory": "1gb"}},
        "set store.resources.limits.memory=2048Mi",
    ),
    "a little more than fits": (
        "store.maxMemory",
        {"store": {"maxMemory": "256mb", "resources": {"limits": {"memory": "512M"}}}},
        "set store.resources.limits.memory=512Mi",
    ),
    "no memory to speak of": (
        "store.maxMemory", {"store": {"resources": {"limits": {"memory": "640m"}}}}, "lower it",
    ),
    "a certificate without TLS": (
        "externalRedis.caSecret", {"externalRedis": {"address": "host:6379", "caSecret": "ca"}},
        "externalRedis.address=rediss://",
    ),
    "a user without a password": (
        "externalRedis.auth.username",
        {"externalRedis": {"address": "host:6379", "auth": {"username": "me", "perRole": False}}},
        "externalRedis.auth.existingSecret",
    ),
    "one user for three roles": (
        "externalRedis.auth.username",
        {"externalRedis": {
            "address": "host:6379", "auth": {"username": "me", "existingSecret": "theirs"},
        }},
        "set perRole=false",
    ),
    "a closed port": (
        "externalRedis.port", {"externalRedis": {"address": "rediss://host:6380/0"}},
        "set externalRedis.port=6380",
    ),
    "a port for nothing": (
        "externalRedis.port", {"externalRedis": {"address": "host", "port": 6380}},
        "set externalRedis.port=6379",
    ),
    "passwords of another store": (
        "store.auth.existingSecret",
        {"externalRedis": THEIRS, "store": {"auth": {"existingSecret": "mine"}}},
        "externalRedis.auth.existingSecret",
    ),
    "encryption of another store": (
        "store.tls.secretName",
        {"externalRedis": THEIRS, "store": {"tls": {"secretName": "mine"}}},
        "externalRedis.caSecret",
    ),
    "passwords of no store": (
        "externalRedis.auth.existingSecret",
        {"externalRedis": {"auth": {"existingSecret": "theirs"}}}, "set the address",
    ),
    "a user of no store": (
        "externalRedis.auth.username", {"externalRedis": {"auth": {"username": "me"}}},
        "set the address",
    ),
    "an authority of no store": (
        "externalRedis.caSecret", {"externalRedis": {"caSecret": "ca"}}, "set the address",
    ),
    "two priorities": (
        "priorityClasses.core", {"priorityClasses": {"core": "high"}}, "set create=false",
    ),
    "a variable that the chart sets": (
        "ollama.env.OLLAMA_HOST", {"ollama": {"env": {"OLLAMA_HOST": "0.0.0.0"}}}, "leave it out",
    ),
    "the same of a class": (
        "nodeClasses.8gb.ollama.env.OLLAMA_NUM_PARALLEL",
        {"nodeClasses": {"8gb": {"ollama": {"env": {"OLLAMA_NUM_PARALLEL": "4"}}}}},
        "see nodeClasses.CLASS.slots",
    ),
    "a proxy's password": (
        "ollama.env.HTTPS_PROXY",
        {"ollama": {"env": {"HTTPS_PROXY": "http://me:hunter2@proxy.home:3128"}}},
        "ollama.envSecret",
    ),
    "a class for nobody": (
        "nodeClasses.excluded", {"nodeClasses": {"excluded": VALUES["nodeClasses"]["8gb"]}},
        "another one",
    ),
    "a flag that the chart sets": (
        "worker.extraArgs", {"worker": {"extraArgs": ["--slots=2"]}}, "nodeClasses",
    ),
    "the same, shortened": (
        "router.extraArgs", {"router": {"extraArgs": ["--http-p=9"]}}, "leave it out",
    ),
}  # fmt: skip
"""What is wrong, to the value that the message names, the values, and the remedy in it."""


@pytest.mark.parametrize("tool", HELMS)
@pytest.mark.parametrize("where", MISSPELT)
def test_a_wrong_value_is_refused_by_name(where: str, tool: str) -> None:
    """Misspelt or mistyped: nothing is rendered, and the message names the value."""
    demand(tool)

    with pytest.raises(Refused) as refusal:
        text(MISSPELT[where], name=tool)

    assert where in str(refusal.value)


@pytest.mark.parametrize("tool", HELMS)
@pytest.mark.parametrize("what", AT_ODDS)
def test_values_at_odds_are_refused_by_name(what: str, tool: str) -> None:
    """Each for itself is fine, together they are not: the message names one and the remedy."""
    demand(tool)
    where, values, remedy = AT_ODDS[what]

    with pytest.raises(Refused) as refusal:
        text(values, name=tool)

    assert f"{where}: " in str(refusal.value)
    assert remedy in str(refusal.value)


@pytest.mark.parametrize(
    "values",
    [
        {"store": {"maxMemory": "1gb", "resources": {"limits": {"memory": "2Gi"}}}},
        {"store": {"maxMemory": "320mb"}},
        {"externalRedis": {"address": "host:6380", "port": 6380}},
        {"externalRedis": {"address": "host"}},
        {"externalRedis": {"address": "host:6380"}, "networkPolicy": {"enabled": False}},
        {"externalRedis": {"address": "redis://host/1"}},
        {"ollama": {"mode": "host"}, "worker": {"extraArgs": ["--prompt-cache-mib=256"]}},
        {"ollama": {"env": {"HTTPS_PROXY": "http://proxy.home:3128/a@b", "NO_PROXY": "a@b"}}},
    ],
    ids=json.dumps,
)
def test_values_that_go_together_are_taken(values: matrix.Values) -> None:
    """No refusal is wider than its reason."""
    assert "kind: Deployment" in text(values)


PROGRAMS = {
    "router": ("Deployment/orion-inference-router", orion_router.settings.Settings.read),
    "worker": ("DaemonSet/orion-inference-worker-8gb", orion_agent.settings.read_settings),
    "operator": ("Deployment/orion-inference-operator", orion_operator.settings.read_settings),
}


@pytest.mark.parametrize("mode", ["sidecar", "host"])
@pytest.mark.parametrize("role", PROGRAMS)
def test_a_flag_that_the_chart_sets_is_refused_and_no_other(
    role: str, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Arguments and variables of the rendered container; every other flag of the program goes."""
    owner, read = PROGRAMS[role]
    ollama = {"ollama": {"mode": mode}}
    container = pod(objects(ollama), owner).container(role)
    with pytest.raises(SystemExit):
        read(["--help"], {})
    known = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    own = {argument.partition("=")[0] for argument in container["args"]}
    own |= known & {flag(each["name"]) for each in container["env"]}
    own |= known & {"--lease"}  # the Role names it
    others = known - own - {"--redis-password"}

    assert own <= known
    assert f"{role}.extraArgs" not in refusal_of(role, ollama, *others)
    for each in own:
        assert f"{role}.extraArgs: {each} " in refusal_of(role, ollama, each)


def flag(variable: str) -> str:
    """ORION_HTTP_PORT is --http-port."""
    return "--" + variable.removeprefix("ORION_").replace("_", "-").lower()


def refusal_of(role: str, values: matrix.Values, *flags: str) -> str:
    """What helm says against further flags; empty: nothing."""
    try:
        text({**values, role: {"extraArgs": [f"{each}=1" for each in flags]}})
    except Refused as refusal:
        return str(refusal)
    return ""


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
        {"ollama": {"env": {"HTTP_PROXY": "http://hunter2@proxy:3128"}}},
        {"nodeClasses": {"8gb": {"ollama": {"env": {"HTTP_PROXY": "http://a:hunter2@b"}}}}},
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
    for name, each in schema.get("patternProperties", {}).items():
        yield from objects_in(each, f"{path}/{name}")
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
