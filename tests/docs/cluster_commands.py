"""What the pages about Kubernetes tell people to type: which objects each command names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, cast

from chart.rendering import Object, pods

NAMESPACE, RELEASE, CHART = "orion", "orion-inference", "charts/orion-inference"
KINDS = {
    "clusterrole": "ClusterRole", "clusterrolebinding": "ClusterRoleBinding",
    "crd": "CustomResourceDefinition", "deploy": "Deployment", "ds": "DaemonSet",
    "icl": "InferenceCluster", "namespace": "Namespace", "node": "Node", "nodes": "Node",
    "pod": "Pod", "pods": "Pod", "priorityclass": "PriorityClass", "pv": "PersistentVolume",
    "pvc": "PersistentVolumeClaim", "secret": "Secret", "lease": "Lease", "sts": "StatefulSet",
    "svc": "Service", "validatingadmissionpolicy": "ValidatingAdmissionPolicy",
    "validatingadmissionpolicybinding": "ValidatingAdmissionPolicyBinding",
}  # fmt: skip
READERS = frozenset({"delete", "describe", "edit", "get", "label", "taint"})
ON_NODES = frozenset({"cordon", "drain", "uncordon"})
INVENTED = frozenset({
    "InferenceCluster/default", "InferenceCluster/home", "Lease/orion-inference-operator",
    "Namespace/orion",
    "Node/pi-16gb", "Node/pi-4gb", "Node/pi-8gb",
})  # fmt: skip
"""The reader's own, always called so on our pages, and what the operator makes."""
VALUED = frozenset({
    "-n", "--namespace", "-o", "-l", "-c", "-L", "-f", "--for", "--timeout", "--as", "--set",
    "--sort-by", "--replicas",
})  # fmt: skip
_FENCED = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:kubectl|helm) [^`]+)`")
_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[list[str]]:
    """Every kubectl and helm command of a page, in words; of a pipe only what stands first."""
    lines = [
        line.removeprefix("$ ") for block in _FENCED.findall(text) for line in block.splitlines()
    ]
    lines += [" ".join(found.split()) for found in _INLINE.findall(_BLOCK.sub("", text))]
    for line in lines:
        if line.startswith(("kubectl ", "helm ")) and "…" not in line:
            yield shlex.split(re.split(r" (?:\||&&|>) ", line)[0].rstrip(" &"))


def options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Options that take a value, with it."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name in VALUED:
            yield (name, value) if equals else (name, after)


def plain(words: list[str]) -> list[str]:
    """What is neither an option nor an option's value, up to `--`."""
    end = words.index("--") if "--" in words else len(words)
    found: list[str] = []
    skip = False
    for word in words[:end]:
        if skip or word.startswith("-"):
            skip = not skip and word in VALUED
            continue
        found.append(word)
    return found


def references(words: list[str]) -> Iterator[str]:
    """Kind/name of each object that a kubectl command names."""
    _, verb, *rest = plain(words)
    if verb in ON_NODES:
        yield from (f"Node/{name}" for name in rest)
    elif verb in READERS and rest and rest[0] in KINDS:
        for name in rest[1:]:
            if name.startswith("inference.orion.dev/") or ("=" in name) or name.endswith("-"):
                continue  # a label or a taint
            if name != "POD":
                yield f"{KINDS[rest[0]]}/{name}"
    for word in rest:
        kind, slash, name = word.partition("/")
        if slash and kind in KINDS and name != "POD":
            yield f"{KINDS[kind]}/{name}"


def there(found: list[Object], definition: str) -> frozenset[str]:
    """Kind/name of all that an installation has, pods and volumes with names of their own too."""
    names = {f"{each['kind']}/{each['metadata']['name']}" for each in found}
    for each in found:
        if each["kind"] == "StatefulSet":
            pod = f"{each['metadata']['name']}-0"
            names.add(f"Pod/{pod}")
            for claim in cast(list[Mapping[str, Any]], each["spec"]["volumeClaimTemplates"]):
                names.add(f"PersistentVolumeClaim/{claim['metadata']['name']}-{pod}")
    return frozenset(names) | INVENTED | {f"CustomResourceDefinition/{definition}"}


def containers(found: list[Object]) -> frozenset[str]:
    """Names of all containers."""
    return frozenset(str(c["name"]) for pod in pods(found) for c in pod.containers)


def labels(found: list[Object]) -> frozenset[str]:
    """key=value of all labels of pods."""
    return frozenset(f"{k}={v}" for pod in pods(found) for k, v in pod.labels.items())
