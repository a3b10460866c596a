"""What `orion doctor` concludes from the Kubernetes API (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from orion_cli.checks import Finding, Level
from orion_cli.facts import ClusterFacts, Told

BAD_WHEN_TRUE = frozenset({"Conflict", "EngineMismatch", "ImageMissing"})
NOT_IN_FORCE = "Superseded"
"""The operator's own resource, and a person's is in force: nothing is wrong."""
FATAL = frozenset({"Ready", "ConfigApplied", "ImageMissing"})
"""Types without which nothing, or not everything, runs."""
PASSING = frozenset({"RoutersBehind"})
PAGE = "docs/kubernetes/inferencecluster.md#conditions"


def check_cluster(facts: ClusterFacts) -> Iterator[Finding]:
    """The definition, who operates, and what the operator says in conditions."""
    if facts.error:
        yield Finding(
            "fail", "kubernetes", f"the API server refuses or does not answer: {facts.error}",
            "the operator needs it, too: its Role, its NetworkPolicy, the API server",
        )  # fmt: skip
        return
    yield _definition(facts)
    yield _operators(facts)
    bad = [told for told in facts.conditions if _is_bad(told)]
    yield from (_condition(facts.namespace, told) for told in bad)
    if not facts.conditions:
        yield Finding(
            "warn", "conditions", f"no InferenceCluster of {facts.namespace} has a status",
            f"the operator makes one: kubectl -n {facts.namespace} logs "
            "-l app.kubernetes.io/component=operator",
        )  # fmt: skip
    elif not bad:
        yield Finding("ok", "conditions", f"all good in namespace {facts.namespace}")


def _definition(facts: ClusterFacts) -> Finding:
    apply = (
        "orion-inference-operator crd | kubectl apply --server-side --force-conflicts -f - "
        "(as an administrator)"
    )
    if facts.revision is None:
        return Finding("fail", "definition", "InferenceCluster is not defined here", apply)
    if facts.revision < facts.wanted_revision:
        text = f"revision {facts.revision} is older than this operator's {facts.wanted_revision}"
        return Finding("fail", "definition", text, apply)
    return Finding("ok", "definition", f"revision {facts.revision}")


def _operators(facts: ClusterFacts) -> Finding:
    """More than one is no harm, for only the lease's holder acts; but nobody means it."""
    waiting = [name for name in facts.operators if name != facts.holder]
    if facts.holder not in facts.operators:
        who = f"{facts.holder} has it and is not here" if facts.holder else "nobody has it"
        return Finding(
            "warn", "operator", f"none here has the lease: {who}",
            "wait half a minute; then see the operator's log",
        )  # fmt: skip
    if waiting:
        return Finding(
            "warn", "operator",
            f"{len(facts.operators)} run: {facts.holder} acts, {', '.join(waiting)} only waits",
            f"keep one: kubectl -n {facts.namespace} get deploy "
            "-l app.kubernetes.io/component=operator; scale it to 1, uninstall a second release",
        )  # fmt: skip
    return Finding("ok", "operator", f"{facts.holder} acts")


def _is_bad(told: Told) -> bool:
    good = "False" if told.type in BAD_WHEN_TRUE else "True"
    return told.status != good and told.reason != NOT_IN_FORCE


def _condition(namespace: str, told: Told) -> Finding:
    level: Level = "fail" if told.type in FATAL and told.reason not in PASSING else "warn"
    text = f"{told.type} is {told.status}, {told.reason}: {told.message}"
    remedy = f"kubectl -n {namespace} describe icl {told.resource}; {PAGE}"
    return Finding(level, f"icl {told.resource}", text, remedy)
