"""The operator as a process against a real API server: a namespace, boards, a store of its own.

Boards are Node objects that nothing runs on; what their workers would report is written into the
store. Nodes that were there before are fenced off by an owner's label for as long as a test runs.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import orjson
import redis

from builders.clusters import report
from e2e.kube import Kube, Object, Refused, condition, until
from orion_contracts import keys
from orion_contracts.kubernetes import CLASS_LABEL, OWNER_LABEL
from orion_lab.program import Program
from orion_lab.stores import StoreProcess, free_port

WITHIN_S = 30.0
STARTED = "is in charge"


class Rig:
    """One installation's worth: `start` and `stop` the operator at will."""

    def __init__(self, kube: Kube, folder: Path, store: StoreProcess | None) -> None:
        self.kube = kube
        self.namespace = kube.namespace
        self.store = store
        self._folder = folder
        self.port = free_port()
        self.redis_addr = f"127.0.0.1:{store.port}" if store else f"127.0.0.1:{free_port()}"
        self.operator = self.program("operator")
        self._nodes: list[str] = []
        self.others: list[Program] = []

    @property
    def client(self) -> redis.Redis:
        """The store, as a client."""
        assert self.store is not None
        return redis.Redis.from_url(self.store.url)

    def program(self, name: str, *flags: str, port: int = 0) -> Program:
        """An operator that has not been started."""
        own = (f"--http-port={port or self.port}", "--http-host=127.0.0.1", "--metrics-port=0",
               f"--pod-name={name}", "--status-interval-s=1")  # fmt: skip
        return self._program(name, "run", *own, *flags)

    def _program(self, name: str, command: str, *flags: str) -> Program:
        common = (f"--namespace={self.namespace}", f"--redis-addr={self.redis_addr}")
        argv = [sys.executable, "-m", "orion_operator.main", command, *common, *flags]
        return Program(name, argv, self._folder / f"{name}.log", {})

    def start(self, *flags: str) -> None:
        """Start the operator and wait until a pass was complete."""
        if flags:
            self.operator = self.program("operator", *flags)
        said = self.operator.tail(10_000).count(STARTED)
        self.operator.start()
        try:
            self.until(lambda: self.operator.tail(10_000).count(STARTED) > said, "in charge")
        except BaseException:
            sys.stderr.write(self.operator.tail())
            raise

    def run(self, command: str, *flags: str) -> Program:
        """Another command of the operator's program, started."""
        program = self._program(command, command, *flags)
        program.start()
        self.others.append(program)
        return program

    def add_node(self, name: str, gib: float = 7.7, **labels: str) -> str:
        """A board joins; returns its name, unique in the cluster."""
        full = f"{self.namespace}-{name}"
        size = {"memory": f"{int(gib * 1024)}Mi", "cpu": "4", "pods": "60"}
        ready = {"type": "Ready", "status": "True", "reason": "Test", "message": ""}
        body = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": full, "labels": labels,
                         "annotations": {"kwok.x-k8s.io/node": "fake"}},
            "status": {"capacity": size, "allocatable": size, "conditions": [ready]},
        }  # fmt: skip
        self._nodes.append(full)
        self.kube.kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(body))
        return full

    def node(self, full: str) -> Object:
        """The Node object."""
        return self.kube.get(f"node/{full}")

    def labels(self, full: str) -> tuple[str, str]:
        """Class and owner."""
        found = self.node(full)["metadata"].get("labels", {})
        return found.get(CLASS_LABEL, ""), found.get(OWNER_LABEL, "")

    def remove_node(self, full: str) -> None:
        """A board leaves."""
        self.kube.kubectl("delete", "node", full, "--ignore-not-found")

    def apply(self, name: str, spec: dict[str, Any]) -> None:
        """`kubectl apply` of an InferenceCluster."""
        self.kube.apply(resource(self.namespace, name, spec))

    def icl(self, name: str = "default") -> Object:
        """The InferenceCluster."""
        return self.kube.get(f"icl/{name}")

    def says(self, kind: str, name: str = "default") -> tuple[str, str, str]:
        """Status, reason and message of a condition."""
        found = condition(self.icl(name), kind)
        return found["status"], found["reason"], found["message"]

    def until_says(
        self, kind: str, status: str, reason: str, name: str = "default", within_s: float = WITHIN_S
    ) -> str:
        """Wait for a condition; its message."""
        wanted = (status, reason)
        self.until(lambda: self.says(kind, name)[:2] == wanted, f"{kind} {wanted}", within_s)
        return self.says(kind, name)[2]

    def until(self, test: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> Any:
        """Wait for something; the operator's last words are in what fails."""
        try:
            return until(test, within_s, what)
        except BaseException:
            sys.stderr.write(self.operator.tail(40))
            raise

    def config(self) -> dict[str, Any]:
        """The document in the store; empty while there is none."""
        with self.client as client:
            raw: Any = client.get(keys.CONFIG)
        return dict(orjson.loads(raw)) if raw else {}

    def reports(self, full: str, **facts: Any) -> None:
        """A worker on that board reports, and is alive for two minutes."""
        made = report(full, seq=time.monotonic_ns(), **facts)
        fields: Any = made.to_hash()
        with self.client as client:
            client.sadd(keys.NODES, full)
            client.hset(keys.node_health(full), mapping=fields)
            client.expire(keys.node_health(full), 120)
            client.set(keys.alive(full), "i1", ex=120)

    def routes(self, name: str = "router-1") -> None:
        """A router runs the present generation, and is alive for two minutes."""
        with self.client as client:
            client.xadd(keys.mailbox(name), {"type": "open"}, maxlen=10)
            client.expire(keys.mailbox(name), 120)
            client.hset(keys.CONFIG_APPLIED, name, self.config().get("generation", 0))

    def quiet(self) -> None:
        """No operator of this test runs any more."""
        for program in (self.operator, *self.others):
            program.stop()

    def close(self) -> None:
        """Everything of this test goes."""
        for node in self._nodes:
            self.remove_node(node)
        with contextlib.suppress(Refused):
            self.kube.kubectl("delete", "namespace", self.namespace, "--wait=false")


def resource(namespace: str, name: str, spec: dict[str, Any]) -> Object:
    """An InferenceCluster."""
    return {
        "apiVersion": "inference.orion.dev/v1alpha1",
        "kind": "InferenceCluster",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


@contextlib.contextmanager
def fenced(kube: Kube) -> Generator[None]:
    """Nodes that belong to nobody belong to somebody else for a while."""
    fence = f"fence-{secrets.token_hex(3)}"
    free = [
        node["metadata"]["name"]
        for node in kube.items("nodes")
        if OWNER_LABEL not in node["metadata"].get("labels", {})
    ]
    for name in free:
        kube.kubectl("label", "node", name, f"{OWNER_LABEL}={fence}")
    try:
        yield
    finally:
        for name in free:
            with contextlib.suppress(Refused):
                kube.kubectl("label", "node", name, f"{OWNER_LABEL}-")


@contextlib.contextmanager
def rig(folder: Path, store: StoreProcess | None) -> Generator[Rig]:
    """A namespace with an operator that has not been started."""
    kube = Kube(f"op-{secrets.token_hex(3)}")
    kube.kubectl("create", "namespace", kube.namespace)
    made = Rig(kube, folder, store)
    try:
        with fenced(kube):
            try:
                yield made
            finally:
                made.quiet()  # before the fence goes: it would take those boards
    finally:
        made.close()
