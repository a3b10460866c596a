"""How workers are evicted: once each, as budgets and the Lease allow."""

from __future__ import annotations

from typing import Any, cast

import pytest

from builders.clusters import node_body
from orion_operator.api import ApiError
from orion_operator.cluster import Cluster
from orion_operator.lease import Lease
from orion_operator.roller import SEEN_S, WARM_S, Roller
from orion_operator.view import View

OWNER = {"kind": "DaemonSet", "name": "w", "controller": True}


class Evictions:
    """The API server's side: what was asked for, and what is refused."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.refusal: ApiError | None = None
        self.held, self.gone = True, False

    async def evict(self, pod: str, uid: str) -> bool:
        """As Cluster's."""
        if self.refusal:
            raise self.refusal
        self.asked.append((pod, uid))
        return not self.gone

    async def confirm(self) -> bool:
        """As Lease's."""
        return self.held


def pod(board: str, hash_: str = "old", **status: Any) -> dict[str, Any]:
    """A worker that is ready."""
    labels = {"controller-revision-hash": hash_}
    metadata = {"name": f"w-{board}-{hash_}", "uid": f"{board}/{hash_}", "labels": labels,
                "ownerReferences": [OWNER], **status}  # fmt: skip
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": metadata, "spec": {"nodeName": board}, "status": ready}


def counted(seen: View, desired: int) -> None:
    """The DaemonSet's controller has looked."""
    metadata = {"name": "w", "generation": 2, "labels": {"inference.orion.dev/class": "8gb"}}
    new = sum(pod.revision == "new" for pod in seen.pods.items.values())
    status = {"observedGeneration": 2, "desiredNumberScheduled": desired,
              "numberAvailable": desired, "updatedNumberScheduled": new}  # fmt: skip
    spec = {"updateStrategy": {"type": "OnDelete"}}
    seen.sets.seen({"metadata": metadata, "spec": spec, "status": status})


def view(*boards: str) -> View:
    """Boards whose workers are all of the older of two revisions."""
    made = View()
    counted(made, len(boards))
    for number, hash_ in ((1, "old"), (2, "new")):
        labels = {"controller-revision-hash": hash_}
        meta = {"name": f"w-{hash_}", "labels": labels, "ownerReferences": [OWNER]}
        made.revisions.seen({"metadata": meta, "revision": number})
    for board in boards:
        made.nodes.seen(node_body(board))
        made.pods.seen(pod(board))
    return made


def roller(seen: View, server: Evictions, now_s: list[float]) -> Roller:
    """With a clock that the test moves."""
    return Roller(seen, cast(Cluster, server), cast(Lease, server), clock=lambda: now_s[0])


async def test_a_pod_is_asked_once_until_the_watch_shows_it() -> None:
    """The next pass may come before the watch does: nobody else is asked meanwhile."""
    seen, server, now_s = view("a", "b"), Evictions(), [0.0]
    own = roller(seen, server, now_s)

    first = await own.step()
    assert first.next is not None
    assert server.asked == [("w-a-old", "a/old")]
    second = await own.step()
    assert (second.next, second.waits) == (None, "w-a-old on a to end")
    seen.pods.seen(pod("a", deletionTimestamp="2026-11-30T00:00:00Z"))
    assert (await own.step()).next is None
    assert len(server.asked) == 1

    seen.pods.gone("w-a-old")
    seen.pods.seen(pod("a", "new"))
    counted(seen, 2)
    await own.step()
    assert server.asked[1:] == [("w-b-old", "b/old")]


async def test_a_watch_that_missed_it_does_not_stop_the_update() -> None:
    """After a while the same pod is asked again."""
    seen, server, now_s = view("a"), Evictions(), [0.0]
    own = roller(seen, server, now_s)
    await own.step()
    now_s[0] = SEEN_S + 1
    await own.step()
    assert server.asked == [("w-a-old", "a/old")] * 2


@pytest.mark.parametrize("status", [429, 403, 409, 0])
async def test_a_refusal_is_told_and_tried_again(status: int) -> None:
    """A budget, a missing right, another pod of that name: the reason is in the condition."""
    seen, server = view("a"), Evictions()
    server.refusal = ApiError(status, "POST /eviction: not now")
    own = roller(seen, server, [0.0])

    refused = await own.step()
    assert (refused.next, refused.waits) == (
        None,
        "leave to replace w-a-old: POST /eviction: not now",
    )
    server.refusal = None
    await own.step()
    assert server.asked == [("w-a-old", "a/old")]


async def test_without_the_lease_nothing_is_evicted() -> None:
    """Another operator took it since."""
    server = Evictions()
    server.held = False
    await roller(view("a"), server, [0.0]).step()
    assert server.asked == []


async def test_a_pod_that_is_gone_is_forgotten() -> None:
    """The API server knows it no more, and the watch has not said so."""
    seen, server = view("a", "b"), Evictions()
    server.gone = True
    await roller(seen, server, [0.0]).step()
    assert set(seen.pods.items) == {"w-b-old"}


async def test_a_node_that_is_not_ready_is_left_alone() -> None:
    """Its pod neither serves nor ends; the other board is updated."""
    seen, server = view("a", "b"), Evictions()
    seen.nodes.seen(node_body("a", ready="False"))
    await roller(seen, server, [0.0]).step()
    assert server.asked == [("w-b-old", "b/old")]


async def test_the_next_board_waits_until_the_last_one_is_warm() -> None:
    """A board that has just been replaced may take a while to load its models, but not for ever;
    before the first one nothing is waited for."""
    seen, server, now_s = view("a", "b"), Evictions(), [0.0]
    own = roller(seen, server, now_s)
    await own.step(cold={"a", "b"})
    assert server.asked == [("w-a-old", "a/old")]
    seen.pods.gone("w-a-old")
    seen.pods.seen(pod("a", "new"))
    counted(seen, 2)

    now_s[0] = WARM_S - 1
    assert (await own.step(cold={"a", "b"})).waits == "a to have its models in memory again"
    now_s[0] = WARM_S
    await own.step(cold={"a", "b"})
    assert server.asked[1:] == [("w-b-old", "b/old")]


async def test_an_update_is_done_when_the_last_board_serves() -> None:
    """Not when its old worker is asked to end; afterwards a restart is no update."""
    seen, server = view("a"), Evictions()
    own = roller(seen, server, [0.0])
    assert not (await own.step()).done
    seen.pods.seen(pod("a", deletionTimestamp="2026-11-30T00:00:00Z"))
    assert not (await own.step()).done
    seen.pods.gone("w-a-old")
    assert "get its worker" in (await own.step()).waits
    unready = pod("a", "new")
    unready["status"] = {}
    seen.pods.seen(unready)
    counted(seen, 1)
    assert "to be ready" in (await own.step()).waits
    seen.pods.seen(pod("a", "new"))
    assert (await own.step()).done

    seen.pods.seen(unready)
    assert (await own.step()).done


async def test_a_board_that_goes_away_while_it_is_updated_stops_the_update() -> None:
    """Whether its old worker is still there or not: that is how a version that takes its board down
    shows. After a while, and when the node is deleted, the others go on."""
    seen, server, now_s = view("a", "b"), Evictions(), [0.0]
    own = roller(seen, server, now_s)
    await own.step()
    seen.pods.seen(pod("a", deletionTimestamp="2026-11-30T00:00:00Z"))
    seen.nodes.seen(node_body("a", ready="Unknown"))
    now_s[0] = SEEN_S + 1
    assert "kubectl delete node a" in (await own.step()).waits
    assert len(server.asked) == 1

    seen.nodes.gone("a")
    seen.pods.gone("w-a-old")
    counted(seen, 1)
    await own.step()
    assert server.asked[1:] == [("w-b-old", "b/old")]
