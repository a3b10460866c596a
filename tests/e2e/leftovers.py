"""Everything in the cluster that bears our mark, of whatever kind the API server knows."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator

from e2e.kube import ROOT, Kube, Object, Refused, run, until

MARKS = ("orion-inference", "inference.orion.dev")
DEFINITION = {"CustomResourceDefinition": ["inferenceclusters.inference.orion.dev"]}
LABELS = ("label inference.orion.dev/class", "label inference.orion.dev/owner")
TESTS_OWN = ("load-", "second-board")
GIVEN = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
"""What Kubernetes puts into every namespace."""
PASSING = ("Event", "APIService", "EndpointSlice", "Endpoints")
"""Events lapse by themselves; the others follow the definition and the Services."""
PAGE = ROOT / "docs/kubernetes/operations.md"
IN_TABLE = r"^\|.*\| `(kubectl [^`]+)` \|$"
BY_HAND = r"^(kubectl .+)$"
"""Commands of the page's section on uninstalling: what goes with what stays; what takes the marks
off Nodes and all else that is in no namespace."""
Left = dict[str, list[str]]


def _kinds(namespaced: bool) -> str:
    listed = run(["kubectl", "api-resources", "--verbs=list", "-o", "name",
                  f"--namespaced={str(namespaced).lower()}"])  # fmt: skip
    return ",".join(listed.split())


def in_namespace(kube: Kube) -> Left:
    """What is in the namespace but for what Kubernetes and these tests put there: kind to names."""
    left: Left = {}
    for each in kube.items(_kinds(namespaced=True)):
        kind, name = each["kind"], each["metadata"]["name"]
        if (kind, name) in GIVEN or kind in PASSING or name.startswith(TESTS_OWN):
            continue
        left.setdefault(kind, []).append(name)
    return {kind: sorted(names) for kind, names in left.items()}


def in_cluster(namespace: str) -> Left:
    """What belongs to no namespace and bears our mark in its name, labels or annotations; volumes
    that hold a claim of ours; and, as `Node`, each mark on a Node."""
    left: Left = {}
    for each in Kube("default").items(_kinds(namespaced=False)):
        kind, name = each["kind"], each["metadata"]["name"]
        if kind == "Node":
            left.setdefault(kind, []).extend(f"{name}: {mark}" for mark in on_node(each))
        elif kind == "PersistentVolume" and _bound(each, namespace):
            left.setdefault(kind, []).append("bound")
        elif kind not in (*PASSING, "Namespace") and _is_marked(each):
            left.setdefault(kind, []).append(name)
    return {kind: sorted(names) for kind, names in left.items() if names}


def _bound(volume: Object, namespace: str) -> bool:
    claim = volume["spec"].get("claimRef", {}).get("namespace")
    return bool(claim == namespace and volume["status"]["phase"] == "Bound")


def _is_marked(each: Object) -> bool:
    metadata = each["metadata"]
    told = [metadata["name"], metadata.get("labels"), metadata.get("annotations")]
    return any(mark in json.dumps(told) for mark in MARKS)


def on_node(node: Object) -> Iterator[str]:
    """Labels, annotations, finalizers, taints and conditions of ours."""
    metadata = node["metadata"]
    found = {
        "label": [*metadata.get("labels", {})],
        "annotation": [*metadata.get("annotations", {})],
        "finalizer": metadata.get("finalizers", []),
        "taint": [t["key"] for t in node["spec"].get("taints", [])],
        "condition": [c["type"] for c in node["status"].get("conditions", [])],
    }
    for what, keys in found.items():
        for key in keys:
            if "orion" in key or key.startswith("Inference"):
                yield f"{what} {key}"


def becomes(look: Callable[[], Left], expected: Left, within_s: float = 60) -> None:
    """Wait until exactly this is left."""

    def is_it() -> bool:
        if (left := look()) != expected:
            raise LookupError(left)
        return True

    until(is_it, within_s, f"exactly {expected} is left", 1.0)


def documented(pattern: str, namespace: str) -> list[list[str]]:
    """Commands of the section, for this namespace, which the names outside of it begin with."""
    section = PAGE.read_text().partition("\n## Uninstall\n")[2].partition("\n## ")[0]
    commands = re.findall(pattern, section, re.MULTILINE)
    assert commands, pattern
    mine = [each.replace("-n orion ", f"-n {namespace} ") for each in commands]
    return [shlex.split(each.replace("/orion-orion-", f"/{namespace}-orion-")) for each in mine]


def follow(pattern: str, namespace: str) -> None:
    """Run them as a person does: what is not there to be deleted is no harm."""
    for each in documented(pattern, namespace):
        try:
            run(each)
        except Refused as error:
            if not re.search(r"NotFound|not found", str(error)):
                raise
