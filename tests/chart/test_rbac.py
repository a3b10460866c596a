"""Who may do what in the cluster: compared with a golden list (check 7 of the checklist)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chart import matrix
from chart.expected import GOLDEN
from chart.rendering import NAMESPACE, Object, kind, objects, one, title
from orion_contracts import kubernetes

pytestmark = [pytest.mark.needs("helm"), pytest.mark.timeout(60)]
FEEDBACK = {"feedback": {"enabled": True}}


def rules(roles: list[Object]) -> Iterator[Object]:
    """One entry for each group of each rule."""
    for role in roles:
        for rule in role["rules"]:
            for group in rule["apiGroups"]:
                entry: Object = {
                    "group": group,
                    "resources": sorted(rule["resources"]),
                    "verbs": sorted(rule["verbs"]),
                }
                if names := rule.get("resourceNames"):
                    entry["names"] = sorted(names)
                yield entry


def in_order(entries: Any) -> list[Object]:
    """Sorted, for comparison."""
    return sorted(entries, key=lambda entry: json.dumps(entry, sort_keys=True))


@pytest.mark.parametrize("values", [{}, FEEDBACK], ids=["default", "feedback"])
def test_07_rules_are_the_golden_ones(values: matrix.Values) -> None:
    """Role and ClusterRole say what the golden list says, no verb more."""
    found = objects(values)
    golden = GOLDEN["operator"]
    cluster = [*golden["cluster"], *(golden["feedback"] if values else [])]

    assert in_order(rules(kind(found, "Role"))) == in_order(golden["namespace"])
    assert in_order(rules(kind(found, "ClusterRole"))) == in_order(cluster)


@pytest.mark.parametrize("name", matrix.COMBINATIONS)
def test_07_no_stars_no_secrets_no_escalation(name: str) -> None:
    """Whatever is switched on: no wildcard, nothing about Secrets, execs, roles or tokens."""
    found = objects(matrix.COMBINATIONS[name])
    for each in rules(kind(found, "Role", "ClusterRole")):
        words = {each["group"], *each["resources"], *each["verbs"]}
        assert "*" not in words, each
        assert not {"secrets", "pods/exec", "pods/attach", "serviceaccounts/token"} & words, each
        assert not {"escalate", "bind", "impersonate", "delete", "deletecollection"} & words, each
        assert each["group"] != "rbac.authorization.k8s.io", each


@pytest.mark.parametrize("name", matrix.COMBINATIONS)
def test_07_only_the_operator_is_bound(name: str) -> None:
    """Every binding binds the operator's account and nothing else."""
    found = objects(matrix.COMBINATIONS[name])
    accounts = {a["metadata"]["name"] for a in kind(found, "ServiceAccount")}
    operator = next(name for name in accounts if name.endswith("-operator"))

    assert len(accounts) == (4 if any(title(f).startswith("StatefulSet/") for f in found) else 3)
    for binding in kind(found, "RoleBinding", "ClusterRoleBinding"):
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": operator, "namespace": NAMESPACE}
        ], title(binding)
        role = f"{binding['roleRef']['kind']}/{binding['roleRef']['name']}"
        assert role in {title(each) for each in found}


GUARDED = {
    "node": ({("", "nodes"), ("", "nodes/status")}, kubernetes.PREFIX),
    "deployment": ({("apps", "deployments")}, kubernetes.RESTARTED_ANNOTATION),
    "definition": (
        {("apiextensions.k8s.io", "customresourcedefinitions")}, kubernetes.REVISION_ANNOTATION,
    ),
    "eviction": ({("", "pods/eviction")}, "orion-inference-worker-"),
}  # fmt: skip
"""Guard to the resources that it watches and what of ours it lets through."""


@pytest.mark.parametrize("guard", GUARDED)
def test_a_guard_covers_what_rbac_cannot_say(guard: str) -> None:
    """The policy is about the operator's account, refuses rather than ignores, and is bound."""
    found = objects()
    name = f"{NAMESPACE}-orion-inference-{guard}-guard"
    policy = one(found, f"ValidatingAdmissionPolicy/{name}")
    binding = one(found, f"ValidatingAdmissionPolicyBinding/{name}")
    (condition,) = policy["spec"]["matchConditions"]
    resources, ours = GUARDED[guard]

    assert f"system:serviceaccount:{NAMESPACE}:orion-inference-operator" in condition["expression"]
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert binding["spec"] == {"policyName": name, "validationActions": ["Deny"]}
    assert {
        (group, resource)
        for rule in policy["spec"]["matchConstraints"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    } == resources
    assert ours in json.dumps(policy["spec"])


def test_every_change_of_what_others_own_is_guarded() -> None:
    """What the operator may patch is its own kind's status, an Event, or behind a guard; and so are
    evictions."""
    found = objects(FEEDBACK)
    patched = {
        (rule["group"], resource)
        for rule in rules(kind(found, "Role", "ClusterRole"))
        if "patch" in rule["verbs"] or "pods/eviction" in rule["resources"]
        for resource in rule["resources"]
    }
    own = {("", "events"), (kubernetes.GROUP, f"{kubernetes.PLURAL}/status")}

    assert patched - own == {each for resources, _ in GUARDED.values() for each in resources}
