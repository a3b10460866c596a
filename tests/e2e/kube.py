"""kubectl and helm as a person uses them, with deadlines, for the tests on a real cluster."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "orion-inference"
Object = dict[str, Any]


class Refused(Exception):
    """A command ended with an error; the text is what it said."""


def run(
    command: Sequence[str], *, stdin: str | None = None, timeout_s: float = 120.0,
    env: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """Its standard output. Raises Refused with what it said on an error."""
    done = subprocess.run(
        list(command), input=stdin, capture_output=True, text=True, timeout=timeout_s,
        check=False, env={**os.environ, **(env or {})},
    )  # fmt: skip
    if done.returncode:
        raise Refused(f"{' '.join(command)[:200]}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


T = TypeVar("T")


def until(condition: Callable[[], T], within_s: float, what: str, every_s: float = 0.25) -> T:
    """The first true answer of `condition`; the test fails with `what` and the last answer else.

    An error of a command counts as "not yet".
    """
    deadline = time.monotonic() + within_s
    last: object = None
    while True:
        try:
            if answer := condition():
                return answer
            last = answer
        except (Refused, OSError, ValueError, KeyError, LookupError) as error:
            last = error
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within_s:g} s: {what}; last: {str(last)[:3000]}")
        time.sleep(every_s)


@dataclass(frozen=True)
class Kube:
    """One namespace of the cluster that KUBECONFIG names."""

    namespace: str

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout_s: float = 120.0) -> str:
        """Run kubectl in the namespace."""
        command = ["kubectl", "-n", self.namespace, *arguments]
        return run(command, stdin=stdin, timeout_s=timeout_s)

    def get(self, what: str, *arguments: str) -> Object:
        """An object, or a list of them, as JSON."""
        found: Object = json.loads(self.kubectl("get", what, *arguments, "-o", "json"))
        return found

    def items(self, what: str, *arguments: str) -> list[Object]:
        """A list of objects."""
        found: list[Object] = self.get(what, *arguments)["items"]
        return found

    def apply(self, *objects: Object) -> str:
        """`kubectl apply`."""
        document = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.kubectl("apply", "-f", "-", stdin=json.dumps(document))

    def pods(self, component: str) -> list[Object]:
        """Pods of a component that are not on their way out."""
        label = f"app.kubernetes.io/component={component}"
        return [
            pod
            for pod in self.items("pods", "-l", label)
            if "deletionTimestamp" not in pod["metadata"]
        ]

    def logs(self, pod: str, *arguments: str) -> str:
        """What a pod said."""
        return self.kubectl("logs", pod, *arguments)

    @contextlib.contextmanager
    def forwarded(self, target: str, port: int) -> Generator[str]:
        """`kubectl port-forward TARGET :PORT`; the URL on this side."""
        command = ["kubectl", "-n", self.namespace, "port-forward", target, f":{port}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)  # fmt: skip
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            if not found:
                raise Refused(f"port-forward {target}: {line}{process.stdout.read()}")
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()


def is_ready(pod: Object) -> bool:
    """Whether the kubelet calls it ready."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def condition(resource: Object, kind: str) -> Object:
    """One condition of an InferenceCluster; raises LookupError while it is not there."""
    for each in resource.get("status", {}).get("conditions", []):
        if each["type"] == kind:
            return dict(each)
    raise LookupError(f"no condition {kind} yet")


def is_fake(node: Object) -> bool:
    """Whether a node only pretends (kwok): pods on it run nothing."""
    return "kwok.x-k8s.io/node" in node["metadata"].get("annotations", {})
