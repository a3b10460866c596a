"""Combinations of values: every pair of choices occurs in one of them, and both extremes do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, cast

Values = Mapping[str, Any]
DIGEST = "sha256:" + "0123456789abcdef" * 4
PEER = {"namespaceSelector": {"matchLabels": {"team": "robots"}}}
NETWORK = {"ipBlock": {"cidr": "192.168.1.0/24"}}

CHOICES: Mapping[str, Mapping[str, Values]] = {
    "ollama": {
        "host-path": {},
        "claim": {"ollama": {"storage": {"mode": "claim"}}},
        "image": {"ollama": {"storage": {"mode": "image"}}},
        "host": {"ollama": {"mode": "host"}},
    },
    "store": {
        "bundled": {},
        "own-secret": {"store": {"auth": {"existingSecret": "mine"}, "appendfsync": "everysec"}},
        "reachable": {
            "store": {
                "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
                "allowedClients": {"cidrs": ["192.168.1.0/24"], "pods": [PEER]},
            }
        },
        "tls": {"store": {"tls": {"secretName": "orion-inference-store-tls"}}},
        "external-open": {"externalRedis": {"address": "redis.example"}},
        "external-roles": {
            "externalRedis": {
                "address": "rediss://redis.example:6380/0", "port": 6380, "caSecret": "ca",
                "cidrs": ["10.1.0.0/16"], "auth": {"existingSecret": "theirs"},
            }
        },
        "external-user": {
            "externalRedis": {
                "address": "redis://redis.example:6379",
                "auth": {"existingSecret": "theirs", "perRole": False, "username": "orion"},
            }
        },
    },
    "router": {
        "inside": {},
        "two": {"router": {"replicas": 2, "extraArgs": ["--max-body-bytes=1000000"]}},
        "load-balancer": {
            "router": {
                "allowUnauthenticated": True,
                "service": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"]},
            }
        },
        "node-port": {
            "router": {
                "allowUnauthenticated": True,
                "service": {"type": "NodePort", "nodePort": 30080, "ollamaNodePort": 30081},
            }
        },
        "ingress": {
            "router": {
                "allowUnauthenticated": True,
                "ingress": {"enabled": True, "host": "orion.example", "tls": {"secretName": "tls"}},
            }
        },
        "ingress-nginx": {
            "router": {
                "allowUnauthenticated": True,
                "ingress": {
                    "enabled": True, "className": "nginx", "host": "orion.example",
                    "annotations": {"cert-manager.io/cluster-issuer": "home"},
                },
            }
        },
    },
    "monitoring": {
        "off": {},
        "on": {
            "monitoring": {
                "namespace": "monitoring",
                "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
                "rules": {"enabled": True, "labels": {"release": "prometheus"}},
                "dashboards": {"enabled": True},
            }
        },
    },
    "guards": {
        "on": {},
        "off": {
            "networkPolicy": {"enabled": False},
            "nodeGuard": {"enabled": False},
            "podDisruptionBudget": {"enabled": False},
            "priorityClasses": {"create": False},
        },
        "own": {
            "networkPolicy": {
                "routerClients": [PEER, NETWORK],
                "apiServer": {"cidrs": ["10.43.0.1/32"], "ports": [6443]},
            },
            "priorityClasses": {"create": False, "core": "high", "worker": "low"},
            "modelRegistry": {"public": False, "cidrs": ["192.168.7.0/24"], "ports": [5000]},
        },
    },
    "names": {
        "plain": {},
        "own": {
            "fullnameOverride": "orion",
            "image": {"repository": "registry.example:5000/orion", "digest": DIGEST},
            "imagePullSecrets": [{"name": "registry"}],
            "feedback": {"enabled": True},
            "scheduling": {
                "nodeSelector": {"kubernetes.io/os": "linux"},
                "tolerations": [{"operator": "Exists"}],
            },
            "nodeClasses": {
                "32gb": {
                    "roles": ["router", "worker"], "slots": 2,
                    "ollama": {
                        "memory": "24Gi", "cpuRequest": "1", "cpuLimit": "8",
                        "maxLoadedModels": 3, "contextLength": 8192, "promptCacheMiB": 1024,
                        "env": {"OLLAMA_FLASH_ATTENTION": "1"},
                    },
                },
                "8gb": None,
            },
        },
    },
}  # fmt: skip


def together(*parts: Values) -> dict[str, Any]:
    """Values merged the way helm merges files."""
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            below = merged.get(key)
            if isinstance(value, Mapping) and isinstance(below, Mapping):
                merged[key] = together(cast(Values, below), cast(Values, value))
            else:
                merged[key] = value
    return merged


def _pairs(row: tuple[str, ...]) -> Iterator[tuple[int, str, int, str]]:
    for (i, a), (j, b) in itertools.combinations(enumerate(row), 2):
        yield i, a, j, b


def _rows() -> Iterator[tuple[str, ...]]:
    """Greedy: always the combination that brings most pairs that were not there."""
    every = list(itertools.product(*CHOICES.values()))
    first, last = every[0], tuple(list(names)[-1] for names in CHOICES.values())
    missing = {pair for row in every for pair in _pairs(row)}
    chosen = [first, last]
    for row in chosen:
        missing -= set(_pairs(row))
    while missing:
        best = max(every, key=lambda row: len(missing & set(_pairs(row))))
        missing -= set(_pairs(best))
        chosen.append(best)
    yield from chosen


MINIMAL: Values = {}
EVERYTHING = together(*(CHOICES[name][pick] for name, pick in (
    ("ollama", "claim"), ("store", "reachable"), ("router", "load-balancer"), ("router", "two"),
    ("router", "ingress"), ("monitoring", "on"), ("guards", "own"), ("names", "own"),
)), {"priorityClasses": {"create": True, "core": "", "worker": ""}})  # fmt: skip
COMBINATIONS: Mapping[str, Values] = {
    "minimal": MINIMAL,
    "everything": EVERYTHING,
    **{
        "-".join(row): together(
            *(CHOICES[name][pick] for name, pick in zip(CHOICES, row, strict=True))
        )
        for row in _rows()
    },
}
