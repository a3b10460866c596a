"""Who may talk to whom, by the rendered NetworkPolicies; numbers as in the security checklist."""

from __future__ import annotations

import pytest

from chart import matrix
from chart.policies import End, reaches
from chart.rendering import Object, kind, objects, one, pods

pytestmark = [pytest.mark.needs("helm"), pytest.mark.timeout(60)]
DNS = End({"k8s-app": "kube-dns"}, namespace="kube-system")
STRANGER = End({"app": "anything"}, namespace="default")
PROBE = End()
"""A pod without labels in the namespace of the release."""
INTERNET, LAN, API = (End(address=a) for a in ("140.82.112.3", "192.168.1.7", "10.43.0.1"))
PORTS = {"router": 8080, "store": 6379}
METRICS = {"router": 9090, "worker": 9091, "operator": 9092}


def policies(values: matrix.Values) -> list[Object]:
    """The policies of a rendering."""
    return kind(objects(values), "NetworkPolicy")


def ours(component: str) -> End:
    """A pod of the release."""
    return End({
        "app.kubernetes.io/name": "orion-inference",
        "app.kubernetes.io/instance": "orion-inference",
        "app.kubernetes.io/component": component,
    })  # fmt: skip


def test_09_everything_is_closed_by_default() -> None:
    """One policy without a rule but name resolution holds every pod, hooks and tests included."""
    found = objects(matrix.MINIMAL)
    default = one(found, "NetworkPolicy/orion-inference-default")["spec"]

    assert default["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in default
    for pod in pods(found):
        assert default["podSelector"]["matchLabels"].items() <= dict(pod.labels).items(), str(pod)
        assert reaches(policies(matrix.MINIMAL), ours(pod.component), DNS, 53, "UDP")
        assert not reaches(policies(matrix.MINIMAL), ours(pod.component), INTERNET, 80)


@pytest.mark.parametrize(
    ("source", "target", "port", "allowed"),
    [
        ("router", "store", 6379, True),
        ("worker", "store", 6379, True),
        ("operator", "store", 6379, True),
        ("cleanup", "store", 6379, True),
        ("test", "store", 6379, False),
        ("test", "router", 8080, True),
        ("router", "worker", 8081, False),
        ("router", "worker", 11434, False),
        ("operator", "router", 8080, True),
        ("operator", "worker", 8081, False),
        ("worker", "router", 8080, False),
        ("worker", "worker", 11434, False),
        ("store", "router", 8080, False),
        ("store", "worker", 8081, False),
    ],
)
def test_09_ours_reach_what_they_need(source: str, target: str, port: int, allowed: bool) -> None:
    """The store from those that use it, the router from test and doctor; nobody an Ollama."""
    assert reaches(policies({}), ours(source), ours(target), port) is allowed


@pytest.mark.parametrize("source", ["operator", "cleanup", "router", "worker", "store", "test"])
def test_09_only_the_operator_reaches_the_api_server(source: str) -> None:
    """And its hook."""
    allowed = source in ("operator", "cleanup")
    narrow = {"networkPolicy": {"apiServer": {"cidrs": ["10.43.0.1/32"], "ports": [6443]}}}

    assert reaches(policies({}), ours(source), API, 6443) is allowed
    assert reaches(policies(narrow), ours(source), API, 6443) is allowed
    assert not reaches(policies(narrow), ours(source), LAN, 6443)


@pytest.mark.parametrize("probe", [PROBE, STRANGER, LAN, INTERNET], ids=lambda e: repr(e)[:60])
@pytest.mark.parametrize(
    ("component", "port"),
    [("store", 6379), ("worker", 8081), ("worker", 11434), ("operator", 8082), *METRICS.items()],
)
def test_10_a_stranger_is_refused(component: str, port: int, probe: End) -> None:
    """A pod without our labels, or an address outside: no store, agent, engine or metrics."""
    assert not reaches(policies({}), probe, ours(component), port)


def test_10_the_router_is_for_the_cluster_only() -> None:
    """Every pod of the cluster; an address outside not before the Service or an Ingress says so."""
    wide = {"router": {"allowUnauthenticated": True, "service": {"type": "LoadBalancer"}}}
    chosen = matrix.CHOICES["guards"]["own"]

    assert reaches(policies({}), STRANGER, ours("router"), 8080)
    assert not reaches(policies({}), LAN, ours("router"), 8080)
    assert reaches(policies(wide), LAN, ours("router"), 8080)
    assert not reaches(policies(chosen), STRANGER, ours("router"), 8080)
    assert reaches(policies(chosen), LAN, ours("router"), 8080)
    robots = End(namespace="robots", namespace_labels={"team": "robots"})
    assert reaches(policies(chosen), robots, ours("router"), 8080)
    for asking in ("operator", "test"):
        assert reaches(policies(chosen), ours(asking), ours("router"), 8080)


def test_09_workers_pull_from_the_public_registry_and_from_named_ones() -> None:
    """Port 443 outside every private range; of private networks only what is named."""
    named = {"modelRegistry": {"cidrs": ["192.168.1.0/24"], "ports": [5000]}}
    private = {"modelRegistry": {"public": False}}
    worker = ours("worker")

    assert reaches(policies({}), worker, INTERNET, 443)
    assert not reaches(policies({}), worker, INTERNET, 80)
    for address in ("10.0.0.1", "172.16.3.4", "192.168.1.7", "169.254.169.254", "100.64.0.1",
                    "127.0.0.1", "fd00::1", "fe80::1"):  # fmt: skip
        assert not reaches(policies({}), worker, End(address=address), 443), address
    assert reaches(policies(named), worker, LAN, 5000)
    assert not reaches(policies(named), worker, LAN, 443)
    assert not reaches(policies(private), worker, INTERNET, 443)


def test_09_metrics_are_for_prometheus_only() -> None:
    """From its namespace, once monitoring is on."""
    on = matrix.CHOICES["monitoring"]["on"]
    prometheus = End({"app": "prometheus"}, namespace="monitoring")
    for component, port in METRICS.items():
        assert not reaches(policies({}), prometheus, ours(component), port)
        assert reaches(policies(on), prometheus, ours(component), port)
        assert not reaches(policies(on), STRANGER, ours(component), port)


def test_other_modules_reach_the_store_when_they_are_named() -> None:
    """By network, by pod, or by the label that pods of the release's namespace may carry."""
    named = matrix.CHOICES["store"]["reachable"]
    robots = End(namespace="robots", namespace_labels={"team": "robots"})
    client = End({"inference.orion.dev/store-client": "true"})
    elsewhere = End({"inference.orion.dev/store-client": "true"}, namespace="default")

    assert reaches(policies(named), LAN, ours("store"), 6379)
    assert reaches(policies(named), robots, ours("store"), 6379)
    assert not reaches(policies(named), INTERNET, ours("store"), 6379)
    assert reaches(policies({}), client, ours("store"), 6379)
    assert not reaches(policies({}), elsewhere, ours("store"), 6379)


def test_outside_clients_of_the_store_keep_their_address() -> None:
    """Through another board they would come with that board's address, and pass for it."""
    inside, outside = (
        one(objects(values), "Service/orion-inference-store")["spec"]
        for values in (matrix.MINIMAL, matrix.CHOICES["store"]["reachable"])
    )

    assert "externalTrafficPolicy" not in inside
    assert outside["externalTrafficPolicy"] == "Local"


def test_a_store_of_ones_own_is_reached_and_nothing_else() -> None:
    """externalRedis: its networks and its port."""
    external = matrix.CHOICES["store"]["external-roles"]
    outside, other = End(address="10.1.2.3"), End(address="10.2.2.3")
    for component in ("router", "worker", "operator", "cleanup"):
        assert reaches(policies(external), ours(component), outside, 6380)
        assert not reaches(policies(external), ours(component), other, 6380)
        assert not reaches(policies(external), ours(component), outside, 6379)


def test_an_ollama_on_the_board_is_reached() -> None:
    """ollama.mode host: its port in the boards' networks, from workers only."""
    host = matrix.CHOICES["ollama"]["host"]

    assert reaches(policies(host), ours("worker"), LAN, 11434)
    assert not reaches(policies(host), ours("worker"), LAN, 11435)
    assert not reaches(policies(host), ours("router"), LAN, 11434)
    assert not reaches(policies({}), ours("worker"), LAN, 11434)
