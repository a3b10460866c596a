"""Which resource of a namespace is in force, and who may change things."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from orion_contracts.kubernetes import OPERATOR
from orion_operator.leasing import LEASE_S, LeaseFacts, Move, decide, lease, read_lease
from orion_operator.ownership import Resource, choose, default_resource, read_resource
from orion_operator.spec import read_spec

OURS = Resource(name="default", created="2026-01-01T00:00:00Z", ours=True)
FIRST = Resource(name="mine", created="2026-01-02T00:00:00Z")
SECOND = Resource(name="also-mine", created="2026-01-03T00:00:00Z")


def test_a_namespace_without_a_resource_gets_one() -> None:
    """Empty spec: all defaults; it carries the mark of the operator."""
    assert choose([]).make_default
    made = default_resource("robot")
    resource = read_resource(made)

    assert (resource.name, resource.ours) == ("default", True)
    assert read_spec(resource.spec) == read_spec({})
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == OPERATOR


def test_a_persons_resource_supersedes_the_operators() -> None:
    """Whichever is older; the default one says by whom, and is not made again."""
    choice = choose([OURS, FIRST])

    assert choice.active == FIRST
    assert choice.losers["default"][0] == "Superseded"
    assert "mine is in force" in choice.losers["default"][1]
    assert not choice.make_default


def test_a_second_resource_of_a_person_conflicts() -> None:
    """The older one stays in force; the younger is told its name."""
    choice = choose([SECOND, OURS, FIRST])

    assert choice.active == FIRST
    assert choice.losers["also-mine"][0] == "Conflict"
    assert "mine is in force in this namespace" in choice.losers["also-mine"][1]
    assert choose([OURS]).active == OURS


def test_a_resource_is_read_from_what_the_api_server_sends() -> None:
    """Also without a status or labels."""
    body = {"metadata": {"name": "a", "uid": "u", "generation": 3, "creationTimestamp": "t"}}

    assert read_resource(body) == Resource(name="a", uid="u", generation=3, created="t")


@given(st.permutations([OURS, FIRST, SECOND]))
def test_the_order_of_the_list_decides_nothing(resources: list[Resource]) -> None:
    """The same choice, whatever the watch tells first."""
    assert choose(resources) == choose([OURS, FIRST, SECOND])


@pytest.mark.parametrize(
    ("found", "unchanged_s", "move"),
    [
        (None, 0, "create"),
        (LeaseFacts(), 0, "take"),
        (LeaseFacts(holder="me"), 99, "renew"),
        (LeaseFacts(holder="other"), LEASE_S, "wait"),
        (LeaseFacts(holder="other"), LEASE_S + 0.1, "take"),
        (LeaseFacts(holder="cleanup", duration_s=60), 59, "wait"),
        (LeaseFacts(holder="cleanup", duration_s=60), 61, "take"),
    ],
)
def test_the_lease_decides(found: LeaseFacts | None, unchanged_s: float, move: Move) -> None:
    """Held by another: wait for as long as it asked for, measured here."""
    assert decide(found, "me", unchanged_s) == move


def test_a_lease_is_written_over_the_version_that_was_read() -> None:
    """So that of two who take it at the same time one is refused; a change of hands is counted."""
    before = LeaseFacts(holder="other", version="7", transitions=2)
    taken = lease("orion", "robot", "me", before, "now", 30)

    assert taken["metadata"] == {"name": "orion", "namespace": "robot", "resourceVersion": "7"}
    assert taken["spec"]["leaseTransitions"] == 3
    assert read_lease(taken) == LeaseFacts("me", "now", 30, "7", 3)
    assert "resourceVersion" not in lease("orion", "robot", "me", None, "now", 30)["metadata"]


def test_an_empty_lease_has_no_holder() -> None:
    """As a chart may make it, so that Helm takes it away again."""
    assert read_lease({"metadata": {"resourceVersion": "1"}, "spec": {}}) == LeaseFacts(version="1")
