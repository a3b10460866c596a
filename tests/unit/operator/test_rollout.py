"""Workers are replaced one board at a time, over all classes."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.clusters import node
from orion_operator.daemons import RevisionFacts, SetFacts, Toleration, read_revision, read_set
from orion_operator.nodes import NodeFacts, Taint, read_node
from orion_operator.pods import PodFacts, read_pod
from orion_operator.rollout import Rollout, decide

OLD, NEW = "5d4f", "77b9"
BEGAN = "2026-11-30T08:00:00Z"


def of(name: str, size: int = 1, **facts: Any) -> SetFacts:
    """A DaemonSet whose controller is at rest."""
    given: dict[str, Any] = {"ours": True, "settled": True, "desired": size, "available": size}
    return SetFacts(name=name, **{**given, **facts})


def pod(name: str, set_name: str = "w-8gb", revision: str = OLD, **facts: Any) -> PodFacts:
    """A worker that serves, on a board of its own."""
    given: dict[str, Any] = {"uid": f"uid-{name}", "node": f"pi-{name}", "ready": True}
    return PodFacts(name=name, set=set_name, revision=revision, **{**given, **facts})


def versions(*sets: str) -> list[RevisionFacts]:
    """Each set had OLD and has NEW."""
    return [
        RevisionFacts(name=f"{s}-{hash_}", set=s, number=number, revision=hash_, created=created)
        for s in sets
        for number, hash_, created in ((2, NEW, BEGAN), (1, OLD, "2026-10-01T08:00:00Z"))
    ]


def boards(*names: str, **facts: Any) -> dict[str, NodeFacts]:
    """Boards that live."""
    return {name: node(name, **facts) for name in names}


def step(
    pods: list[PodFacts], sets: list[SetFacts] | None = None, away: str = "",
    nodes: dict[str, NodeFacts] | None = None, under_way: bool = True,
) -> Rollout:  # fmt: skip
    """One decision during an update; all boards live but one; the sets' controller has counted what
    is there unless it is told otherwise."""
    known = boards(*(p.node for p in pods))
    if away:
        known[away] = replace(known[away], ready=False, since="2026-11-30T12:05:00Z")
    sets = [
        replace(s, updated=s.updated or sum(p.set == s.name and p.revision == NEW for p in pods))
        for s in sets or [of("w-8gb", len(pods))]
    ]
    return decide(sets, versions("w-8gb", "w-16gb"), pods, nodes or known, under_way)


def test_a_fleet_of_one_version_is_left_alone() -> None:
    """Nothing to do is the rule."""
    assert step([pod("a", revision=NEW), pod("b", revision=NEW)]) == Rollout(total=2, updated=2)
    assert decide([], [], [pod("a")], boards("pi-a")) == Rollout()


def test_classes_take_turns() -> None:
    """One board of each class: the second waits until the first serves again."""
    sets = [of("w-16gb"), of("w-8gb")]
    first = step([pod("a", "w-16gb"), pod("b")], sets)
    assert first.next is not None
    assert first.next.name == "a"

    for gone in (pod("a", "w-16gb", ending=True), pod("a2", "w-16gb", NEW, ready=False)):
        now = step([gone, pod("b")], sets)
        assert now.next is None
        assert gone.name in now.waits
    missing = step([pod("b")], sets)
    assert missing.next is None
    assert "w-16gb to get its worker" in missing.waits

    second = step([pod("a2", "w-16gb", NEW), pod("b")], sets)
    assert second.next is not None
    assert (second.next.name, second.updated, second.total) == ("b", 1, 2)


def test_a_new_worker_proves_itself_first() -> None:
    """Ready, but not yet for minReadySeconds: Kubernetes does not count it as available."""
    pods = [pod("a2", revision=NEW), pod("b")]
    assert "for a while" in step(pods, [of("w-8gb", 2, available=1)]).waits
    assert "its controller" in step(pods, [of("w-8gb", 2, settled=False)]).waits


def test_what_does_not_serve_is_replaced_first() -> None:
    """A version that cannot start gives way to one that can, though nothing else is ready."""
    broken = [pod("a"), pod("y", ready=False), pod("z", ready=False)]
    found = step(broken, [of("w-8gb", 3, available=1)])
    assert found.next is not None
    assert found.next.name == "y"

    waiting = step([*broken[:1], pod("y2", revision=NEW, ready=False)], [of("w-8gb", 2)])
    assert waiting.next is None
    assert "kubectl describe pod y2" in waiting.waits


def test_a_dead_board_holds_up_nobody() -> None:
    """Its pod is neither waited for nor replaced, even where it hangs in its end."""
    for dead in (pod("a", ready=False), pod("a", ready=False, ending=True)):
        found = step([dead, pod("b")], [of("w-8gb", 2, available=1)], away="pi-a")
        assert found.next is not None
        assert (found.next.name, found.total) == ("b", 1)


def test_a_board_that_fell_with_the_new_worker_holds_up_all() -> None:
    """It may be why: on a Pi a version that takes too much shows as a node that is away. So it is
    for the last board of an update. One that fell later, or earlier, is away and no more."""
    fallen = pod("a", revision=NEW, ready=False, created="2026-11-30T12:00:00Z")
    sets = [of("w-8gb", 2, available=1)]
    found = step([fallen, pod("b")], sets, away="pi-a")
    assert found.next is None
    assert "kubectl delete node pi-a" in found.waits
    assert not step([fallen, pod("b", revision=NEW)], sets, away="pi-a").done

    for created in ("2026-11-30T11:50:00Z", "2026-11-30T12:06:00Z", ""):
        other = replace(fallen, created=created)
        found = step([other, pod("b")], sets, away="pi-a")
        assert found.next is not None
        assert found.next.name == "b"


def test_a_board_that_is_away_gets_it_on_its_return() -> None:
    """And a rollback is not held up by a board that was away before the update: revisions are used
    again, with the age that they had."""
    away = pod("c", revision=OLD, ready=False, created="2026-10-01T08:00:00Z")
    done = step([pod("a", revision=NEW), away], [of("w-8gb", 2, available=1)], away="pi-c")
    assert (done.done, done.away, done.total) == (True, ("pi-c",), 1)

    back = [RevisionFacts(name="x", set="w-8gb", number=3, revision=OLD), *versions("w-8gb")[:1]]
    nodes = boards("pi-a", "pi-b") | boards("pi-c", ready=False, since="2026-11-02T00:00:00Z")
    broken = pod("a", revision=NEW, ready=False, created="2026-11-30T12:00:00Z")
    found = decide([of("w-8gb", 3, updated=2, available=1)], back, [broken, pod("b"), away], nodes)
    assert found.next is not None
    assert found.next.name == "a"


def test_pods_where_a_set_may_not_run_count_for_nothing() -> None:
    """Kubernetes leaves what is there since before a taint, and counts it no more; evicted, it
    would not come back. Nodes that are gone have no pods, whatever is still listed."""
    taint = Taint("team", "robots", "NoSchedule")
    nodes = boards("pi-a", taints=(taint,)) | boards("pi-b")
    found = step([pod("a"), pod("b")], [of("w-8gb", 1)], nodes=nodes)
    assert found.next is not None
    assert (found.next.name, found.total) == ("b", 1)

    tolerant = of("w-8gb", 2, tolerations=(Toleration("team", "Exists", "", ""),))
    found = step([pod("a"), pod("b")], [tolerant], nodes=nodes)
    assert found.total == 2

    orphan = [pod("b"), pod("gone")]
    missing = step(orphan, [of("w-8gb", 2, available=1)], nodes=boards("pi-b"))
    assert missing.next is None
    assert "to get its worker" in missing.waits


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        (Toleration("", "Exists", "", ""), True),
        (Toleration("team", "Exists", "", "NoSchedule"), True),
        (Toleration("team", "Equal", "robots", ""), True),
        (Toleration("team", "", "robots", ""), True),
        (Toleration("team", "Equal", "people", ""), False),
        (Toleration("other", "Exists", "", ""), False),
        (Toleration("team", "Exists", "", "NoExecute"), False),
        (Toleration("", "Equal", "robots", ""), False),
    ],
)
def test_tolerations_are_those_of_kubernetes(toleration: Toleration, expected: bool) -> None:
    """Key, operator, value, effect; what Kubernetes itself adds is always tolerated."""
    tainted = node("a", taints=(Taint("team", "robots", "NoSchedule"),))
    assert of("w", tolerations=(toleration,)).may_run_on(tainted) is expected
    cordoned = node("a", taints=(Taint("node.kubernetes.io/unschedulable", "", "NoSchedule"),))
    assert of("w").may_run_on(cordoned)


def test_a_class_that_was_renamed_is_waited_for() -> None:
    """Its DaemonSet is gone, and its worker is still ending."""
    leaving = pod("a", "w-gone", ending=True, worker=True)
    found = decide([of("w-8gb")], versions("w-8gb"), [leaving, pod("b")], boards("pi-a", "pi-b"))
    assert found.next is None
    assert "a on pi-a to end" in found.waits


def test_a_revision_that_was_deleted_unseen_is_no_reason() -> None:
    """The controller says that every pod is of its newest template."""
    pods = [pod("a")]
    assert step(pods, [of("w-8gb", updated=1)]).done
    assert not step(pods).done


def test_without_an_update_a_restart_is_none() -> None:
    """A worker that is not ready is not being updated."""
    restarting = [pod("a", revision=NEW, ready=False), pod("b", revision=NEW)]
    assert not step(restarting).done
    assert step(restarting, under_way=False).done
    assert not step(restarting, [of("w-8gb", 2, settled=False)], under_way=False).done


def test_an_update_whose_revision_was_not_seen_yet_is_one() -> None:
    """The DaemonSet's controller has counted, and the watch of revisions is behind."""
    pods, known = [pod("a"), pod("b")], versions("w-8gb")[1:]
    for under_way in (True, False):
        found = decide([of("w-8gb", 2)], known, pods, boards("pi-a", "pi-b"), under_way)
        assert not found.done
        assert "looked at by its controller" in found.waits


def test_a_rollback_is_an_update() -> None:
    """The number of a revision decides, not its age or name."""
    back = [RevisionFacts(name="x", set="w-8gb", number=3, revision=OLD), *versions("w-8gb")[:1]]
    found = decide([of("w-8gb")], back, [pod("a", revision=NEW)], boards("pi-a"))
    assert found.next is not None


def test_sets_of_others_are_not_touched() -> None:
    """Neither a DaemonSet with its own strategy nor one that is not ours."""
    metadata = {"name": "w", "generation": 2, "labels": {"inference.orion.dev/class": "8gb"}}
    status = {"observedGeneration": 2, "desiredNumberScheduled": 3, "numberAvailable": 1}
    body: dict[str, Any] = {
        "metadata": metadata,
        "spec": {"updateStrategy": {"type": "OnDelete"}},
        "status": status,
    }
    assert read_set(body) == of("w", desired=3, available=1)
    tolerant = {"template": {"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}}}
    read = read_set({**body, "spec": {**body["spec"], **tolerant}})
    assert read.tolerations == (Toleration("a", "Exists", "", ""),)
    since = "2026-11-30T12:00:00Z"
    down = {"type": "Ready", "status": "False", "lastTransitionTime": since}
    taints = {"taints": [{"key": "a", "effect": "NoSchedule"}]}
    tainted = {"metadata": {"name": "n"}, "spec": taints, "status": {"conditions": [down]}}
    facts = read_node(tainted)
    assert (facts.taints, facts.since) == ((Taint("a", "", "NoSchedule"),), since)
    assert read.may_run_on(facts)
    assert not read_set({**body, "metadata": {**metadata, "labels": {}}}).ours
    rolling = {"updateStrategy": {"type": "RollingUpdate"}}
    assert not read_set({**body, "spec": rolling}).ours
    assert not read_set({**body, "status": {"observedGeneration": 1}}).settled
    assert step([pod("a")], [replace(of("w-8gb"), ours=False)]) == Rollout()


def test_pods_and_revisions_are_read() -> None:
    """From what the API server sends; what is not a DaemonSet's counts for nothing."""
    owner = {"kind": "DaemonSet", "name": "w", "controller": True}
    metadata = {
        "name": "w-x", "uid": "u", "labels": {"controller-revision-hash": NEW},
        "ownerReferences": [owner],
    }  # fmt: skip
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    read = read_pod({"metadata": metadata, "spec": {"nodeName": "pi"}, "status": ready})
    assert read == PodFacts(name="w-x", uid="u", node="pi", set="w", revision=NEW, ready=True)
    going = {**metadata, "deletionTimestamp": "2026-11-30T00:00:00Z"}
    assert read_pod({"metadata": going}).ending

    field = {"key": "metadata.name", "operator": "In", "values": ["pi-2"]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    unbound = read_pod({"metadata": metadata, "spec": {"affinity": affinity}})
    assert (unbound.node, unbound.ready) == ("pi-2", False)  # no room there: it holds up the rest

    revision = read_revision({"metadata": metadata, "revision": 7})
    assert revision == RevisionFacts(name="w-x", set="w", number=7, revision=NEW)
    of_store = {"metadata": {**metadata, "ownerReferences": [{**owner, "kind": "StatefulSet"}]}}
    assert read_revision(of_store).set == ""


class Fleet:
    """Boards of several classes whose pods end, start and get ready in any order, late or never
    seen at once; what an operator does is told by `decide` alone."""

    def __init__(self, classes: list[int], chance: random.Random) -> None:
        self.chance = chance
        self.pods = {
            (c, b): pod(f"{c}-{b}", f"w-{c}") for c, size in enumerate(classes) for b in range(size)
        }
        self.sets = [of(f"w-{c}", size) for c, size in enumerate(classes)]
        self.nodes = {p.node for p in self.pods.values()}
        for where, each in self.pods.items():
            if chance.random() < 0.15:  # a board that is away, and stays away
                self.nodes.discard(each.node)
                self.pods[where] = replace(each, ready=False)
        self.revisions = versions(*(s.name for s in self.sets))

    def decide(self) -> Rollout:
        """As the operator would."""
        sets = [self.counted(each) for each in self.sets]
        nodes = {p.node: node(p.node, ready=p.node in self.nodes) for p in self.pods.values()}
        return decide(sets, self.revisions, self.pods.values(), nodes)

    def counted(self, each: SetFacts) -> SetFacts:
        """As the set's controller would."""
        own = [p for p in self.pods.values() if p.set == each.name]
        ready = sum(p.ready and not p.ending for p in own)
        return replace(each, updated=sum(p.revision == NEW for p in own), available=ready)

    def away(self) -> int:
        """Living boards whose worker does not serve."""
        return sum(not p.ready or p.ending for p in self.pods.values() if p.node in self.nodes)

    def replace(self, chosen: PodFacts) -> None:
        """The pod is asked to end."""
        where = next(k for k, p in self.pods.items() if p.name == chosen.name)
        self.pods[where] = replace(self.pods[where], ending=True)

    def pass_time(self) -> None:
        """Something happens to a board that is on its way."""
        here = {k: p for k, p in self.pods.items() if p.node in self.nodes}
        moving = [k for k, p in here.items() if p.ending or not p.ready]
        if not moving:
            return
        where = self.chance.choice(moving)
        now = self.pods[where]
        if now.ending:
            name = f"{now.name}+"
            self.pods[where] = replace(now, name=name, revision=NEW, ready=False, ending=False)
        else:
            self.pods[where] = replace(now, ready=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_never_two_boards_at_once_and_always_to_the_end(
    classes: list[int], chance: random.Random
) -> None:
    """Whatever the order of events, one board is away at most, and the last one is reached."""
    fleet = Fleet(classes, chance)
    for _ in range(50 * len(fleet.pods)):
        found = fleet.decide()
        if found.done and fleet.away() == 0:
            break
        if found.next is not None and chance.random() < 0.7:
            fleet.replace(found.next)
        assert fleet.away() <= 1
        if chance.random() < 0.6:
            fleet.pass_time()
    assert {p.revision for p in fleet.pods.values() if p.node in fleet.nodes} <= {NEW}


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_a_broken_version_stops_at_the_first_board(broken: int) -> None:
    """The others keep serving, however long it takes."""
    pods = [pod("a", revision=NEW, ready=False), *(pod(f"b{n}") for n in range(broken))]
    for _ in range(10):
        assert step(pods, [of("w-8gb", broken + 1, available=broken)]).next is None
