"""What a real API server says of the chart: schemas, Pod Security, rights, the guards.

Nothing is installed: only accounts, their rights, the guards and the operator's Deployment without
a pod are applied, in a namespace of the test's own; all else is a dry run.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart import matrix
from chart.expected import GOLDEN, MISSPELT
from chart.guarded import CHANGES, EVICTIONS, RESTARTS, STATUS, UPGRADES
from chart.rendering import (
    CHART,
    HELMS,
    KUBERNETES,
    RELEASE,
    ROOT,
    Object,
    Refused,
    helm,
    kind,
    objects,
    one,
    pods,
    text,
)  # fmt: skip
from orion_contracts import kubernetes
from servers.needs import demand

pytestmark = [pytest.mark.cluster, pytest.mark.needs("helm", "kubectl", "kubeconform")]
POD_SECURITY = "pod-security.kubernetes.io/"
CLAIM = matrix.CHOICES["ollama"]["claim"]
FOREIGN = {"PrometheusRule", "ServiceMonitor"}
"""Kinds of the Prometheus operator: a cluster without it knows no schema for them."""
READS: Object = {
    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
    "metadata": {"name": f"orion-chart-reads-{os.getpid()}"},
    "rules": [{"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["get"]}],
}  # fmt: skip
"""kubectl reads before it patches, which the operator does not do; not bound for `can-i`."""
GUARDED_WITHIN_S = 60.0
"""A policy takes effect some seconds after the server has taken it."""
PUBLISHED_WITHIN_S = 60.0
NODE: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {
    "name": f"orion-chart-{os.getpid()}",
    "labels": {"kubernetes.io/hostname": "somewhere"},
    "annotations": {"kwok.x-k8s.io/node": "fake"},
}}  # fmt: skip
NODE_NAME = f"node/{NODE['metadata']['name']}"
DEPLOYMENT = "deployment/orion-inference-operator"
DEFINITION = f"crd/{kubernetes.CRD_NAME}"


def kubectl(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    """Status, output and errors."""
    done = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def must(*arguments: str, stdin: str | None = None) -> str:
    """The output of a command that has to succeed."""
    status, output, errors = kubectl(*arguments, stdin=stdin)
    assert status == 0, errors
    return output


Make = Callable[[str], str]


@pytest.fixture(scope="module")
def namespaces() -> Iterator[Make]:
    """Makes namespaces that enforce a level and warn of everything that is not restricted."""
    made: list[str] = []

    def make(level: str) -> str:
        name = f"orion-chart-{level}-{os.getpid()}"
        if name not in made:
            must("create", "namespace", name)
            made.append(name)
            must("label", "namespace", name, f"{POD_SECURITY}enforce={level}",
                 f"{POD_SECURITY}warn=restricted")  # fmt: skip
        return name

    yield make
    for name in made:
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def definition() -> Iterator[Path]:
    """Our CRD's folder; the server has what is in it."""
    crd = str(CHART / "crds")
    there = kubectl("get", "crd", kubernetes.CRD_NAME)[0] == 0
    must("apply", "--server-side", "--force-conflicts", "-f", crd)
    must("wait", "--for=condition=established", f"crd/{kubernetes.CRD_NAME}")
    yield CHART / "crds"
    if not there and not json.loads(must("get", "icl", "-A", "-o", "json"))["items"]:
        kubectl("delete", "-f", crd, "--wait=false")


@pytest.fixture(scope="module")
def schemas(definition: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Strict schemas of everything that the server knows, our own resource included."""
    del definition
    _wait_for_schema()
    folder = tmp_path_factory.mktemp("schemas")
    script = [sys.executable, str(ROOT / "scripts/chart_schemas.py"), str(folder)]
    subprocess.run(script, check=True, timeout=120)
    return folder


def _wait_for_schema() -> None:
    """A definition that is established is published in the server's schemas some seconds later."""
    deadline_s = time.monotonic() + PUBLISHED_WITHIN_S
    while (
        kubernetes.KIND
        not in kubectl("get", "--raw", f"/openapi/v3/apis/{kubernetes.API_VERSION}")[1]
    ):
        assert time.monotonic() < deadline_s, "the server does not publish our resource's schema"
        time.sleep(0.2)


def conform(schemas: Path, manifests: str) -> list[dict[str, Any]]:
    """What kubeconform has to say against them; nothing about what is fine."""
    location = f"{schemas}/{{{{.Group}}}}_{{{{.ResourceAPIVersion}}}}_{{{{.ResourceKind}}}}.json"
    done = subprocess.run(
        ["kubeconform", "-strict", "-output", "json", "-schema-location", location, "-"],
        input=manifests, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(done.stdout)["resources"]
    return found


@pytest.mark.parametrize("name", matrix.COMBINATIONS)
def test_39_manifests_are_what_the_server_knows(name: str, schemas: Path) -> None:
    """Every field of every object, against the schemas of this API server."""
    complaints = [
        each
        for each in conform(schemas, text(matrix.COMBINATIONS[name]))
        if each["kind"] not in FOREIGN
    ]

    assert complaints == []


def test_39_a_field_that_does_not_exist_is_found(schemas: Path) -> None:
    """The schemas are strict, also for our own resource."""
    ours: Object = {"apiVersion": kubernetes.API_VERSION, "kind": kubernetes.KIND,
            "metadata": {"name": "a"}, "spec": {"treshold": {}}}  # fmt: skip
    broken = text().replace("minReadySeconds:", "minReadySecond:")

    assert {each["kind"] for each in conform(schemas, broken)} == {"DaemonSet"}
    assert conform(schemas, yaml.safe_dump({**ours, "spec": {}})) == []
    assert [each["kind"] for each in conform(schemas, yaml.safe_dump(ours))] == [kubernetes.KIND]


def as_pods(found: list[Object]) -> Iterator[Object]:
    """Each template as a pod of its own: Pod Security refuses pods, and only warns of the rest."""
    for each in pods(found):
        spec = {k: v for k, v in each.spec.items() if k not in ("priorityClassName",)}
        spec["serviceAccountName"] = "default"
        if each.component == "store":  # its volume comes from the StatefulSet
            claim = {"claimName": "data-orion-inference-store-0"}
            spec["volumes"] = [*spec["volumes"], {"name": "data", "persistentVolumeClaim": claim}]
        metadata = {"name": each.owner.replace("/", "-").lower(), "labels": dict(each.labels)}
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("values", [CLAIM, matrix.CHOICES["ollama"]["host"], matrix.EVERYTHING],
                         ids=["claim", "host", "everything"])  # fmt: skip
def test_04_restricted_takes_every_pod(values: matrix.Values, namespaces: Make) -> None:
    """A namespace that enforces *restricted*: no refusal and no warning, for any pod."""
    namespace = namespaces("restricted")
    must("wait", "-n", namespace, "--for=create", "serviceaccount/default", "--timeout=60s")
    for pod in as_pods(objects(values)):
        status, _, errors = kubectl(
            "create", "-n", namespace, "--dry-run=server", "-f", "-", stdin=json.dumps(pod)
        )
        assert (status, errors) == (0, ""), pod["metadata"]["name"]


@pytest.mark.parametrize("tool", HELMS)
def test_04_helm_installs_without_a_warning(tool: str, namespaces: Make) -> None:
    """`helm install --dry-run=server` of mode claim into the same."""
    demand(tool)
    namespace = namespaces("restricted")
    said = helm(tool, "install", RELEASE, str(CHART), "-n", namespace, "--dry-run=server",
                values=CLAIM)  # fmt: skip

    assert "PodSecurity" not in said


def test_04_host_path_mode_warns_of_its_volume_and_of_prepare(namespaces: Make) -> None:
    """*privileged* takes it, *restricted* names the volume and one container, and nothing else."""
    namespace = namespaces("privileged")
    must("wait", "-n", namespace, "--for=create", "serviceaccount/default", "--timeout=60s")
    for pod in as_pods(objects()):
        status, _, errors = kubectl(
            "create", "-n", namespace, "--dry-run=server", "-f", "-", stdin=json.dumps(pod)
        )
        assert status == 0, errors
        if "daemonset" not in pod["metadata"]["name"]:
            assert errors == "", pod["metadata"]["name"]
            continue
        assert 'volume "models" uses restricted volume type "hostPath"' in errors
        inside = {each["name"] for part in ("containers", "initContainers", "volumes")
                  for each in pod["spec"].get(part, ())}  # fmt: skip
        assert inside & set(errors.split('"')) == {"prepare", "models"}


@pytest.fixture(scope="module")
def account(namespaces: Make, definition: Path) -> Iterator[str]:
    """Accounts, rights and guards of a release, applied; the namespace that they are in."""
    del definition
    namespace = namespaces("privileged")
    rendered = objects({"feedback": {"enabled": True}}, namespace=namespace)
    found = kind(
        rendered,
        "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    )  # fmt: skip
    deployment = one(rendered, "Deployment/orion-inference-operator")
    idle = {**deployment, "spec": {**deployment["spec"], "replicas": 0}}
    everything = yaml.safe_dump_all([*found, idle])
    must("apply", "-f", "-", stdin=everything)
    must("apply", "-f", "-", stdin=json.dumps(NODE))
    deadline = time.monotonic() + GUARDED_WITHIN_S
    while not all(
        patched(namespace, what, patch)
        for what, patch in (
            (NODE_NAME, CHANGES["another label"][0]),
            (DEPLOYMENT, RESTARTS["a label"][0]),
            (DEFINITION, UPGRADES["a label"][0]),
        )
    ):
        assert time.monotonic() < deadline, "the server does not apply the guards"
    yield namespace
    kubectl("delete", "node", NODE["metadata"]["name"])
    kubectl("delete", "--wait=false", "-f", "-", stdin=everything)


def rights(namespace: str, name: str) -> set[tuple[str, str, str]]:
    """Resource, name and verb of all that an account may do to resources."""
    who = f"system:serviceaccount:{namespace}:{name}"
    listing = must("auth", "can-i", "--list", "--no-headers", "-n", namespace, "--as", who)
    found: set[tuple[str, str, str]] = set()
    for line in listing.splitlines():
        resource, rest = line.split(" ", 1)
        _, names, verbs = (part.strip(" [") for part in rest.split("]")[:3])
        if resource:
            found |= {(resource, each, verb) for each in names.split() or [""]
                      for verb in verbs.split()}  # fmt: skip
    return found


def can_i(resource: str, group: str) -> str:
    """As `kubectl auth can-i` writes a resource: name.group/part."""
    name, _, part = resource.partition("/")
    return "/".join(filter(None, (".".join(filter(None, (name, group))), part)))


@pytest.mark.parametrize("name", ["operator", "router", "worker", "store"])
def test_08_rights_are_the_golden_ones(name: str, account: str) -> None:
    """`kubectl auth can-i --list` of each account: what every account may, and the golden list."""
    golden = {
        (can_i(resource, rule["group"]), each, verb)
        for rules in GOLDEN[name].values()
        for rule in rules
        for resource in rule["resources"]
        for each in rule.get("names", [""])
        for verb in rule["verbs"]
    }
    common = rights(account, "nobody-in-particular")

    assert rights(account, f"orion-inference-{name}") - common == golden


def as_operator(namespace: str) -> list[str]:
    """A dry run with the operator's rights."""
    who = f"system:serviceaccount:{namespace}:orion-inference-operator"
    return ["-n", namespace, "--dry-run=server", "--as", who]


def patched(namespace: str, what: str, patch: str, *more: str) -> str:
    """What the server says to the operator's patch; empty: it takes it."""
    way = "merge" if what == DEFINITION else "strategic"
    status, _, errors = kubectl("patch", what, f"--type={way}", "-p", patch,
                                *as_operator(namespace), *more)  # fmt: skip
    return errors if status else ""


@contextlib.contextmanager
def may_read_status(namespace: str) -> Generator[None]:
    """The operator may read nodes/status, and the server knows it."""
    name, account = READS["metadata"]["name"], f"{namespace}:orion-inference-operator"
    must("apply", "-f", "-", stdin=json.dumps(READS))
    must("create", "clusterrolebinding", name, f"--clusterrole={name}",
         f"--serviceaccount={account}")  # fmt: skip
    try:
        ask = ["auth", "can-i", "get", "nodes", "--subresource=status", "--as",
               f"system:serviceaccount:{account}"]  # fmt: skip
        deadline = time.monotonic() + GUARDED_WITHIN_S
        while kubectl(*ask)[0]:
            assert time.monotonic() < deadline, "the server does not know the binding"
        yield
    finally:
        must("delete", "clusterrole,clusterrolebinding", name)


@pytest.mark.parametrize("what", [*CHANGES, *STATUS])
def test_the_node_guard_lets_our_changes_through_only(what: str, account: str) -> None:
    """Labels and taints under our prefix and our condition; the message says what is allowed."""
    patch, refusal = {**CHANGES, **STATUS}[what]
    if what in STATUS:
        with may_read_status(account):
            said = patched(account, NODE_NAME, patch, "--subresource=status")
    else:
        said = patched(account, NODE_NAME, patch)

    assert refusal in said if refusal else said == "", said


@pytest.mark.parametrize("what", RESTARTS)
def test_the_deployment_guard_lets_a_restart_through_only(what: str, account: str) -> None:
    """The annotation by which the operator leaves a board, and nothing that its pods would run."""
    patch, refusal = RESTARTS[what]
    said = patched(account, DEPLOYMENT, patch)

    assert refusal in said if refusal else said == "", said


@pytest.mark.parametrize("what", UPGRADES)
def test_the_definition_guard_lets_an_upgrade_through_only(what: str, account: str) -> None:
    """A newer revision, but no webhook, name or owner."""
    patch, refusal = UPGRADES[what]
    said = patched(account, DEFINITION, patch)

    assert refusal in said if refusal else said == "", said


def newer(definition: Path) -> Object:
    """Our CRD as a later operator would carry it: one more revision, one more field."""
    (file,) = definition.iterdir()
    found: Object = yaml.safe_load(file.read_text())
    found["metadata"]["annotations"][kubernetes.REVISION_ANNOTATION] = "99"
    (version,) = found["spec"]["versions"]
    fields = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    fields["later"] = {"type": "string", "maxLength": 9}
    return found


def test_the_definition_guard_lets_the_operator_upgrade(account: str, definition: Path) -> None:
    """Server-side apply of a newer schema passes; one that stops serving our version does not."""
    apply = ["apply", "--server-side", "--force-conflicts", "--validate=false",
             f"--field-manager={kubernetes.OPERATOR}", "-f", "-"]  # fmt: skip
    later = newer(definition)
    status, _, errors = kubectl(*apply, *as_operator(account), stdin=json.dumps(later))
    assert status == 0, errors
    later["spec"]["versions"][0]["served"] = False
    _, _, errors = kubectl(*apply, *as_operator(account), stdin=json.dumps(later))

    assert "nor stop serving it" in errors


def evicted(namespace: str, pod: str, options: Object) -> str:
    """What the server says to the operator's eviction; empty: it takes it. Nothing is evicted."""
    container = {"name": "a", "image": "a:1"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": namespace},
            "spec": {"schedulerName": "nobody", "containers": [container]}}  # fmt: skip
    must("apply", "-f", "-", stdin=json.dumps(body))
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": {"name": pod, "namespace": namespace},
                "deleteOptions": options}  # fmt: skip
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction?dryRun=All"
    who = f"system:serviceaccount:{namespace}:orion-inference-operator"
    status, _, errors = kubectl("create", "--raw", path, "-f", "-", "--as", who,
                                stdin=json.dumps(eviction))  # fmt: skip
    return errors if status else ""


@pytest.mark.parametrize("whose", EVICTIONS)
def test_the_eviction_guard_lets_workers_go_only(whose: str, account: str) -> None:
    """Neither the store nor other people's pods."""
    pod, refusal = EVICTIONS[whose]
    said = evicted(account, pod, {})

    assert refusal in said if refusal else said == "", said


def test_the_eviction_guard_leaves_a_worker_its_time(account: str) -> None:
    """To hand back what it has."""
    said = evicted(account, EVICTIONS["a worker"][0], {"gracePeriodSeconds": 0})
    assert "the time that a worker has" in said


@pytest.mark.parametrize("tool", HELMS)
def test_passwords_survive_an_upgrade(tool: str, namespaces: Make) -> None:
    """What the Secret holds is rendered again; a key that it lacks is drawn."""
    demand(tool)
    namespace = namespaces("baseline")
    name = f"{RELEASE}-store"
    known = {f"{role}-password": f"{tool} {role}" for role in ("router", "worker", "operator")}
    helms = {"meta.helm.sh/release-name": RELEASE, "meta.helm.sh/release-namespace": namespace}
    must("apply", "-n", namespace, "-f", "-", stdin=json.dumps({
        "apiVersion": "v1", "kind": "Secret", "stringData": known,
        "metadata": {"name": name, "annotations": helms,
                     "labels": {"app.kubernetes.io/managed-by": "Helm"}},
    }))  # fmt: skip
    said = helm(tool, "template", RELEASE, str(CHART), "-n", namespace, "--dry-run=server",
                "--kube-version", KUBERNETES)  # fmt: skip
    (secret,) = (each for each in yaml.safe_load_all(said) if each and each["kind"] == "Secret")
    held = json.loads(must("get", "secret", name, "-n", namespace, "-o", "json"))["data"]

    assert held.items() <= secret["data"].items()
    assert set(secret["data"]) - set(held) == {"producer-password"}


@pytest.mark.parametrize("tool", HELMS)
@pytest.mark.parametrize("where", list(MISSPELT)[:12])
def test_helm_install_refuses_a_wrong_value_by_name(
    where: str, tool: str, namespaces: Make
) -> None:
    """A real `helm install`: refused with the value's name, and nothing is there afterwards."""
    demand(tool)
    namespace = namespaces("baseline")

    with pytest.raises(Refused) as refusal:
        helm(tool, "install", "wrong", str(CHART), "-n", namespace, values=MISSPELT[where])

    assert where in str(refusal.value)
    left = must("get", "all,secret", "-n", namespace, "-l", "app.kubernetes.io/instance=wrong")
    assert left == ""
