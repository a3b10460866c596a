"""What NetworkPolicies allow, decided as Kubernetes documents it: a policy engine for tests."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chart.rendering import NAMESPACE, Object

Labels = Mapping[str, str]
_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod, or an address outside the cluster."""

    labels: Labels = field(default_factory=dict[str, str])
    namespace: str = NAMESPACE
    namespace_labels: Labels = field(default_factory=dict[str, str])
    address: str = ""


def matches(selector: Mapping[str, Any], labels: Labels) -> bool:
    """A label selector; an empty one selects everything."""
    if any(labels.get(k) != v for k, v in selector.get("matchLabels", {}).items()):
        return False
    for each in selector.get("matchExpressions", ()):
        value, values = labels.get(each["key"]), each.get("values", ())
        agrees = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[each["operator"]]
        if not agrees:
            return False
    return True


def _is_peer(peer: Mapping[str, Any], end: End) -> bool:
    if block := peer.get("ipBlock"):
        if not end.address:
            return False
        address = ipaddress.ip_address(end.address)
        within = [ipaddress.ip_network(each) for each in (block["cidr"], *block.get("except", ()))]
        return address in within[0] and not any(address in each for each in within[1:])
    if end.address:
        return False
    if "namespaceSelector" in peer:
        labels = {_NAME: end.namespace, **end.namespace_labels}
        if not matches(peer["namespaceSelector"], labels):
            return False
    elif end.namespace != NAMESPACE:
        return False
    return matches(peer.get("podSelector", {}), end.labels)


def _has_port(rule: Mapping[str, Any], port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    return ports is None or any(
        each["port"] == port and each.get("protocol", "TCP") == protocol for each in ports
    )


def _allows(
    policies: list[Object], direction: str, own: End, other: End, port: int, protocol: str
) -> bool:
    if own.address or own.namespace != NAMESPACE:
        return True  # not ours to decide
    side, key = ("from", "ingress") if direction == "Ingress" else ("to", "egress")
    concerned = [
        policy["spec"]
        for policy in policies
        if direction in policy["spec"]["policyTypes"]
        and matches(policy["spec"]["podSelector"], own.labels)
    ]
    if not concerned:
        return True
    return any(
        _has_port(rule, port, protocol)
        and (rule.get(side) is None or any(_is_peer(peer, other) for peer in rule[side]))
        for spec in concerned
        for rule in spec.get(key) or ()
    )


def reaches(
    policies: list[Object], source: End, target: End, port: int, protocol: str = "TCP"
) -> bool:
    """Whether `source` may open a connection to that port of `target`."""
    return _allows(policies, "Egress", source, target, port, protocol) and _allows(
        policies, "Ingress", target, source, port, protocol
    )
