"""The chart as helm renders it: objects as dictionaries, each combination rendered once."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "orion-inference"
NAMESPACE = "pi-lab"
RELEASE = "orion-inference"
KUBERNETES = "1.34.0"
HELMS = ("helm", "helm3")
Object = dict[str, Any]
Values = Mapping[str, Any]


class Refused(Exception):
    """helm said no; the text is all that it wrote."""


def program(name: str) -> str:
    """The path of helm, or of the helm 3 that ORION_HELM3 names. Its `needs` says how to get it."""
    return shutil.which(os.environ["ORION_HELM3"] if name == "helm3" else "helm") or name


def helm(name: str, *arguments: str, values: Values | None = None) -> str:
    """What it prints. Raises Refused."""
    command = [program(name), *arguments, "-f", "-"]
    done = subprocess.run(
        command, input=yaml.safe_dump(dict(values or {})), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


@functools.cache
def _text(name: str, values: str, kubernetes: str, release: str, namespace: str) -> str:
    return helm(name, "template", release, str(CHART), "--namespace", namespace,
                "--kube-version", kubernetes, values=yaml.safe_load(values))  # fmt: skip


def text(
    values: Values | None = None, *, name: str = "helm", kubernetes: str = KUBERNETES,
    release: str = RELEASE, namespace: str = NAMESPACE,
) -> str:  # fmt: skip
    """The manifests as text, tests and hooks included."""
    return _text(name, yaml.safe_dump(dict(values or {})), kubernetes, release, namespace)


@functools.cache
def _objects(manifests: str) -> tuple[Object, ...]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = [each for each in yaml.load_all(manifests, Loader=loader) if each]
    return tuple(sorted(found, key=title))


def objects(values: Values | None = None, **how: Any) -> list[Object]:
    """Every object, in the order of its name. Shared between tests: none may change them."""
    return list(_objects(text(values, **how)))


def title(manifest: Object) -> str:
    """Kind and name, for messages and keys."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def component(manifest: Object) -> str:
    """The component that it belongs to."""
    labels = cast(dict[str, str], manifest["metadata"].get("labels", {}))
    return labels.get("app.kubernetes.io/component", "")


def kind(found: list[Object], *kinds: str) -> list[Object]:
    """Those of these kinds."""
    return [each for each in found if each["kind"] in kinds]


def one(found: list[Object], name: str) -> Object:
    """The object with that kind and name."""
    return next(each for each in found if title(each) == name)


@dataclass(frozen=True)
class Pod:
    """A pod's template, wherever it is written."""

    owner: str
    component: str
    labels: Mapping[str, str]
    spec: Object

    @property
    def containers(self) -> list[Object]:
        """All of them; native sidecars and init containers first."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    def container(self, name: str) -> Object:
        """The container of that name."""
        return next(each for each in self.containers if each["name"] == name)

    def __str__(self) -> str:
        return self.owner


def pods(found: list[Object]) -> Iterator[Pod]:
    """The pods of every workload, hook and test."""
    for each in found:
        if each["kind"] == "Pod":
            yield Pod(title(each), component(each), each["metadata"]["labels"], each["spec"])
        elif each["kind"] in ("Deployment", "DaemonSet", "StatefulSet", "Job"):
            template = each["spec"]["template"]
            labels = template["metadata"]["labels"]
            yield Pod(title(each), component(each), labels, template["spec"])


def pod(found: list[Object], owner: str) -> Pod:
    """The pod of the workload with that kind and name."""
    return next(each for each in pods(found) if each.owner == owner)
