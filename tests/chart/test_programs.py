"""What pods are told is what programs understand, and names are those of the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from chart import matrix
from chart.rendering import CHART, Object, Pod, kind, objects, one, pod, pods
from orion_agent.settings import read_settings
from orion_contracts import kubernetes
from orion_operator.settings import read_cleanup_settings
from orion_operator.settings import read_settings as read_operator_settings
from orion_router.settings import Settings as RouterSettings

pytestmark = [pytest.mark.needs("helm"), pytest.mark.timeout(60)]
PASSWORD = "from a file"


def arguments(of: Pod, name: str, folder: Path) -> list[str]:
    """What the program is started with, variables filled in, passwords in a folder of the test."""
    container = of.container(name)
    values = {
        each["name"]: each.get("value", f"10.42.0.9.{each['name']}".lower())
        for each in container.get("env", ())
    }
    filled: list[str] = []
    for word in container.get("args", ()):
        for variable, value in values.items():
            word = word.replace(f"$({variable})", value)
        if word.startswith("--redis-password-file="):
            file = folder / Path(word.partition("=")[2]).name
            file.write_text(PASSWORD)
            word = f"--redis-password-file={file}"
        filled.append(word)
    return filled


def variable(container: Object, name: str) -> str:
    """The value of one of its variables."""
    return next(str(e["value"]) for e in container["env"] if e["name"] == name)


@pytest.mark.parametrize("name", matrix.COMBINATIONS)
def test_the_router_understands_its_flags(name: str, tmp_path: Path) -> None:
    """Its own parser takes them; ports and store are those of the objects around it."""
    values = matrix.COMBINATIONS[name]
    (router,) = (p for p in pods(objects(values)) if p.component == "router")
    settings = RouterSettings.read(arguments(router, "router", tmp_path), {})

    ports = {p["name"]: p["containerPort"] for p in router.container("router")["ports"]}
    assert ports == {"http": settings.http_port, "metrics": settings.metrics_port}
    assert ports == {"http": 8080, "metrics": 9090}
    if not values.get("externalRedis"):
        assert settings.redis_username == "router"
        assert settings.redis_password == PASSWORD


@pytest.mark.parametrize("name", matrix.COMBINATIONS)
def test_the_worker_understands_its_flags(name: str, tmp_path: Path) -> None:
    """Named after its node; the sidecar's address, or the board's; slots of its class."""
    values = matrix.COMBINATIONS[name]
    for worker in (p for p in pods(objects(values)) if p.component == "worker"):
        container = worker.container("worker")
        told = {e["name"]: e["value"] for e in container["env"] if "value" in e}
        settings = read_settings(arguments(worker, "worker", tmp_path), told)
        ports = {p["name"]: p["containerPort"] for p in container["ports"]}
        sources = {e["name"]: e.get("valueFrom") for e in container["env"]}
        assert ports == {"http": settings.http_port, "metrics": settings.metrics_port}
        assert ports == {"http": 8081, "metrics": 9091}
        assert sources["NODE_NAME"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}
        assert settings.node_id.endswith("node_name")
        assert settings.node_class == worker.labels[kubernetes.CLASS_LABEL]
        engine = [c for c in worker.containers if c["name"] == kubernetes.OLLAMA_CONTAINER]
        if engine:
            parallel = variable(engine[0], "OLLAMA_NUM_PARALLEL")
            assert settings.ollama_host == "http://127.0.0.1:11434"
            assert told["ORION_MAX_LOADED_MODELS"] == variable(
                engine[0], "OLLAMA_MAX_LOADED_MODELS"
            )
            assert settings.slots == int(parallel)
            assert settings.prompt_cache_mib == int(variable(engine[0], "LLAMA_ARG_CACHE_RAM"))
        else:
            assert settings.ollama_host.endswith("host_ip:11434")


@pytest.mark.parametrize("name", matrix.COMBINATIONS)
def test_the_operator_understands_its_flags(name: str, tmp_path: Path) -> None:
    """`run` and `cleanup`: where it is, which Deployment is its own, whose pods these are."""
    values = matrix.COMBINATIONS[name]
    found = {p.component: p for p in pods(objects(values))}
    operator = found["operator"].container("operator")
    cleanup = found["cleanup"].container("cleanup")
    variables = {e["name"]: e.get("value", "told") for e in operator["env"]}
    run = read_operator_settings(arguments(found["operator"], "operator", tmp_path), variables)
    clean = read_cleanup_settings(arguments(found["cleanup"], "cleanup", tmp_path), variables)

    assert operator["command"] == [kubernetes.OPERATOR, "run"]
    assert cleanup["command"] == [kubernetes.OPERATOR, "cleanup"]
    assert (run.namespace, run.pod_name, run.node_name) == ("told", "told", "told")
    assert f"Deployment/{run.deployment}" == found["operator"].owner
    assert run.release == found["operator"].labels["app.kubernetes.io/instance"]
    assert (clean.namespace, clean.redis_addr) == (run.namespace, run.redis_addr)
    sources = {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"]
               for e in operator["env"] if "valueFrom" in e}  # fmt: skip
    assert sources == {
        "ORION_NAMESPACE": "metadata.namespace",
        "ORION_POD_NAME": "metadata.name",
        "ORION_NODE_NAME": "spec.nodeName",
    }


@pytest.mark.parametrize("mode", ["host-path", "claim", "image", "host"])
def test_the_agent_sees_the_disk_of_the_models(mode: str) -> None:
    """Mounted where OLLAMA_MODELS says, and not to be written; nowhere if nothing is mounted."""
    for worker in pods(objects(matrix.CHOICES["ollama"][mode])):
        if worker.component != "worker":
            continue
        agent = worker.container("worker")
        mounts = {m["name"]: m for m in agent["volumeMounts"]}
        if mode in ("image", "host"):
            assert "models" not in mounts
            continue
        path = variable(agent, "OLLAMA_MODELS")
        assert mounts["models"] == {"name": "models", "mountPath": path, "readOnly": True}
        assert path == variable(worker.container("ollama"), "OLLAMA_MODELS")


def test_the_operator_is_where_the_contract_says() -> None:
    """Its ports, and the Service names that its people use."""
    found = objects()
    container = pod(found, "Deployment/orion-inference-operator").container("operator")
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}

    assert ports["http"] == kubernetes.OPERATOR_HTTP_PORT
    assert ports["metrics"] == kubernetes.OPERATOR_METRICS_PORT
    assert one(found, f"Deployment/{kubernetes.OPERATOR}")
    router = one(found, "Service/orion-inference-router")["spec"]["ports"]
    assert [(p["port"], p["targetPort"]) for p in router] == [(80, "http"), (11434, "http")]
    store = one(found, "Service/orion-inference-store")["spec"]["ports"]
    assert [(p["port"], p["targetPort"]) for p in store] == [(6379, "store")]


def test_names_are_those_of_the_contract() -> None:
    """Group, labels and prefix in the templates; the CRD's name in the account's rights."""
    rendered = yaml.safe_dump_all(objects(matrix.EVERYTHING))
    labels = {word.strip("'\": ,[]") for word in rendered.split() if kubernetes.PREFIX in word}
    of_nodes = {kubernetes.CLASS_LABEL, kubernetes.OWNER_LABEL}

    assert of_nodes <= labels
    role = one(objects(), "Role/orion-inference-operator")
    resources = [r for rule in role["rules"] for r in rule["resources"]]
    assert kubernetes.PLURAL in resources
    cluster = one(objects(), "ClusterRole/pi-lab-orion-inference-operator")
    names = [n for rule in cluster["rules"] for n in rule.get("resourceNames", ())]
    assert names == [kubernetes.CRD_NAME]
    lease = [r["resourceNames"] for r in role["rules"] if r["resources"] == ["leases"]
             and "resourceNames" in r]  # fmt: skip
    assert lease == [[kubernetes.OPERATOR]]


def test_classes_of_the_values_are_those_of_a_new_cluster() -> None:
    """The resource that the operator makes has the classes that the chart has DaemonSets for."""
    crd: dict[str, Any] = yaml.safe_load((CHART / "crds/inferenceclusters.yaml").read_text())
    (version,) = crd["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    defaults = spec["properties"]["nodeClasses"]["default"]
    values = yaml.safe_load((CHART / "values.yaml").read_text())["nodeClasses"]

    assert {d["name"]: (set(d["roles"]), d["slots"]) for d in defaults} == {
        name: (set(c["roles"]), c["slots"]) for name, c in values.items()
    }


def test_memory_of_a_class_fits_its_smallest_board() -> None:
    """Everything that may run on one board asks for less than the least memory of its class."""
    requests: dict[str, float] = {}
    for each in pods(objects()):
        sidecars = [c for c in each.containers if c.get("restartPolicy") == "Always"]
        for container in (*sidecars, *each.spec["containers"]):
            memory = container["resources"]["requests"]["memory"]
            size = float(memory[:-2]) * {"Mi": 1, "Gi": 1024}[memory[-2:]]
            requests[each.owner] = requests.get(each.owner, 0) + size
    name = "orion-inference"
    small = requests[f"DaemonSet/{name}-worker-8gb"]
    large = requests[f"DaemonSet/{name}-worker-16gb"] + sum(
        requests[each]
        for each in (f"Deployment/{name}-router", f"StatefulSet/{name}-store",
                     f"Deployment/{name}-operator")
    )  # fmt: skip

    assert small <= 6 * 1024 - 200
    assert large <= 12 * 1024 - 200


def test_the_helm_test_is_no_part_of_the_release() -> None:
    """Hooks only: nothing of test or cleanup is installed."""
    for each in kind(objects(), "Job", "Pod"):
        assert "helm.sh/hook" in each["metadata"]["annotations"]
