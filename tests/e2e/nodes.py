"""Boards that only exist as Node objects: kwok keeps them Ready, nothing runs on them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator

from e2e.kube import Kube, Object

CLASS = "inference.orion.dev/class"


def fake_node(name: str, gib: int) -> Object:
    """A board with that much memory."""
    size = {"cpu": "4", "memory": f"{gib}Gi", "pods": "60"}
    labels = {"kubernetes.io/arch": "arm64", "kubernetes.io/os": "linux",
              "kubernetes.io/hostname": name}  # fmt: skip
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": labels,
                     "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"capacity": size, "allocatable": size,
                   "nodeInfo": {"architecture": "arm64", "operatingSystem": "linux"}},
    }  # fmt: skip


@contextlib.contextmanager
def added(kube: Kube, name: str, gib: int) -> Generator[str]:
    """A board joins, and leaves at the end."""
    document = json.dumps(fake_node(name, gib))  # kwok fills in what a kubelet would say
    kube.kubectl("apply", "--validate=false", "-f", "-", stdin=document)
    try:
        yield name
    finally:
        kube.kubectl("delete", "node", name)


def label(kube: Kube, node: str, key: str = CLASS) -> str:
    """A node's label, empty when it has none."""
    return str(kube.get(f"node/{node}")["metadata"]["labels"].get(key, ""))


def workers_on(kube: Kube, node: str) -> list[Object]:
    """Worker pods of ours on a node."""
    return [pod for pod in kube.pods("worker") if pod["spec"].get("nodeName") == node]
