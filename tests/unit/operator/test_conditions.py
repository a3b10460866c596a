"""What a status says."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as StoreConnectionError

from builders.clusters import boards, facts, node, report, seen, three_nodes
from orion_contracts.errors import Misconfigured, StoreUnavailable
from orion_contracts.health import Engine
from orion_operator.board import Gates, Sighting
from orion_operator.conditions import Observation, observe
from orion_operator.facts import Facts, StoreFacts
from orion_operator.images import describe
from orion_operator.pods import PodFacts, read_pod
from orion_operator.spec import read_spec
from orion_operator.tables import cold_boards, model_rows, node_rows, summary
from orion_operator.troubles import NO_TROUBLE, advice, of_error, of_settings


def seen_of(given: Facts, kind: str) -> Observation:
    """One condition."""
    return next(o for o in observe(given) if o.type == kind)


def word(given: Facts, kind: str) -> tuple[bool, str]:
    """Its status and reason."""
    found = seen_of(given, kind)
    return found.status, found.reason


def test_a_cluster_that_serves() -> None:
    """Everything is well, and says so in one line."""
    given = facts()
    statuses = {o.type: (o.status, o.reason) for o in observe(given)}

    assert statuses == {
        "Ready": (True, "Serving"),
        "Healthy": (True, "AllEligible"),
        "ModelsPlaced": (True, "NoneWanted"),
        "ConfigApplied": (True, "Applied"),
        "BoardsUpdated": (True, "Current"),
        "EngineMismatch": (False, "Same"),
        "ImageMissing": (False, "AllThere"),
        "Conflict": (False, "AllOurs"),
    }
    line = summary(given)
    assert (line.nodes, line.models, line.queue, line.hottest) == ("2/2", "0/0", 0, "50°C pi-8gb")
    assert line.excluded_nodes == 1


def test_without_a_router_nothing_serves() -> None:
    """Neither ready nor configured."""
    given = facts(store=StoreFacts())

    assert word(given, "Ready") == (False, "NoRouter")
    assert word(given, "ConfigApplied") == (False, "NoRouter")


def test_a_router_that_is_behind_is_named() -> None:
    """The configuration is in the store, and not yet in force everywhere."""
    given = facts(store=StoreFacts(routers={"r1": 5, "r2": 4, "r3": None}))
    found = seen_of(given, "ConfigApplied")

    assert (found.status, found.reason) == (False, "RoutersBehind")
    assert found.message == "generation 5 is not yet in force at r2, r3"
    assert word(given, "Ready") == (True, "Serving")


def test_a_silent_board_shows_in_healthy_alone() -> None:
    """One board is enough to be ready."""
    given = facts(sightings={"pi-8gb": seen("pi-8gb"), "pi-16gb": Sighting(heard=True)})

    assert word(given, "Ready") == (True, "Serving")
    found = seen_of(given, "Healthy")
    assert (found.status, found.reason) == (False, "BoardsInTrouble")
    assert "pi-16gb is Silent" in found.message


def test_no_eligible_board_is_not_ready() -> None:
    """With the state of each."""
    hot = Sighting(report=report("pi-8gb"), alive=True, gates=Gates(hot=True))
    given = facts(sightings={"pi-8gb": hot})
    found = seen_of(given, "Ready")

    assert (found.status, found.reason) == (False, "NoEligibleBoard")
    assert "pi-16gb is Waiting" in found.message
    assert "pi-8gb is Hot" in found.message


def test_boards_of_others_are_a_conflict() -> None:
    """All of them: not ready, the owner named; some of them: said beside."""
    owners = {"pi-8gb": "lab", "pi-16gb": "lab"}
    nothing = facts(boards=(), nodes=[], foreign=owners)
    some = facts(foreign={"pi-9": "lab"})

    assert word(nothing, "Ready") == (False, "Conflict")
    assert "pi-16gb, pi-8gb belong to namespace lab" in seen_of(nothing, "Ready").message
    assert word(some, "Ready") == (True, "Serving")
    assert word(some, "Conflict") == (True, "OwnedElsewhere")


def test_two_operators_on_one_store_are_named() -> None:
    """Each would undo the other's configuration."""
    given = facts(shared_with="orion-inference-operator/lab")

    assert word(given, "Ready") == word(given, "ConfigApplied") == (False, "StoreShared")
    assert "orion-inference-operator/lab writes this store's" in seen_of(given, "Ready").message


def test_a_definition_that_is_too_old_is_unhealthy() -> None:
    """With the command that mends it."""
    given = facts(definition="the CRD is older ...; run: orion-inference-operator crd | kubectl")

    assert word(given, "Healthy") == (False, "DefinitionOutdated")


MODEL = {"models": [{"name": "m", "placement": {"replicas": 2}}]}


def test_a_model_is_placed_when_it_is_resident() -> None:
    """On every board of its plan; the row counts them."""
    holding = {n.name: seen(n.name, resident={"m": 1.0}) for n in three_nodes()}
    loading = {**holding, "pi-8gb": seen("pi-8gb")}

    assert word(facts(MODEL, sightings=holding), "ModelsPlaced") == (True, "Resident")
    given = facts(MODEL, sightings=loading)
    assert word(given, "ModelsPlaced") == (False, "Loading")
    (row,) = model_rows(given)
    assert (row.wanted, row.resident, row.message) == (2, 1, "planned on pi-16gb, pi-8gb")
    assert summary(given).models == "0/1"


def test_a_model_that_is_only_fetched_is_placed_on_disk() -> None:
    """`preload: false`: nobody asks for it to be in memory."""
    spec = {"models": [{"name": "m", "preload": False}]}
    there = {"pi-8gb": seen("pi-8gb", on_disk={"m": 1.0}),
             "pi-16gb": seen("pi-16gb", on_disk={"m": 1.0})}  # fmt: skip

    assert word(facts(spec, sightings=there), "ModelsPlaced") == (True, "Resident")


def test_a_model_that_fits_nowhere_says_why() -> None:
    """The arithmetic is in the condition and in its row."""
    given = facts({"models": [{"name": "llama3.1:70b"}]})
    found = seen_of(given, "ModelsPlaced")

    assert (found.status, found.reason) == (False, "DoesNotFit")
    assert "llama3.1:70b: on 0 of 1 boards; needs 47." in found.message
    assert "pi-8gb has room for 5." in found.message
    assert "85% of 7.6 GiB" in model_rows(given)[0].message


def test_pulls_and_their_failures_are_shown() -> None:
    """Progress in steps of ten percent; an error by board."""
    pull = {"model": "m", "state": "pulling", "completed_bytes": 47, "total_bytes": 100}
    broken = {"model": "m", "state": "failed", "error": "no space left on device"}
    given = facts(MODEL, sightings={"pi-16gb": seen("pi-16gb", pulls=(pull,)),
                                    "pi-8gb": seen("pi-8gb", pulls=(broken,))})  # fmt: skip
    (row,) = model_rows(given)

    assert row.pulling == "pi-16gb pulling 40%"
    assert row.message.startswith("pi-8gb: no space left on device; planned on")
    found = seen_of(given, "ModelsPlaced")
    assert (found.reason, found.message) == ("Failed", "m on pi-8gb: no space left on device")


def test_what_a_keeper_cannot_keep_is_shown() -> None:
    """In the words of the board."""
    keeper = {"assigned": ["m"], "resident": [], "failed": {"m": "needs 3.0 GiB, 1.2 GiB is free"}}
    given = facts(MODEL, sightings={n.name: seen(n.name, keeper=keeper) for n in three_nodes()})

    assert "m on pi-8gb: needs 3.0 GiB, 1.2 GiB is free" in seen_of(given, "ModelsPlaced").message


def test_engines_that_differ_are_named() -> None:
    """Versions among boards, and a context that is not the one asked for."""
    old = seen("pi-8gb", engine=Engine(reachable=True, version="0.30.1"))
    new = seen("pi-16gb", engine=Engine(reachable=True, version="0.32.4"))
    found = seen_of(facts(sightings={"pi-8gb": old, "pi-16gb": new}), "EngineMismatch")

    assert (found.status, found.reason) == (True, "Versions")
    assert "0.30.1 on pi-8gb; 0.32.4 on pi-16gb" in found.message


def test_a_missing_image_names_board_and_command() -> None:
    """One sentence for each image, from the pods' status."""
    waiting: dict[str, Any] = {
        "state": {"waiting": {"reason": "ErrImageNeverPull"}},
        "image": "orion:1",
    }
    running: dict[str, Any] = {"state": {"running": {}}, "image": "ollama:1"}
    body: dict[str, Any] = {"metadata": {"name": "w"}, "spec": {"nodeName": "pi-8gb"},
            "status": {"containerStatuses": [waiting, running]}}  # fmt: skip
    pods = [read_pod(body), PodFacts(name="x")]
    text = describe(pods)

    assert text.startswith("pi-8gb cannot get orion:1 (ErrImageNeverPull)")
    assert "k3s ctr images import" in text
    assert word(facts(missing_images=text), "ImageMissing") == (True, "CannotPull")
    assert describe([]) == ""


ODD: list[Any] = [
    None, {}, {"containerStatuses": [{}]}, {"containerStatuses": [{"state": {"waiting": None}}]},
]  # fmt: skip


@pytest.mark.parametrize("status", ODD)
def test_a_pod_that_says_nothing_misses_nothing(status: Any) -> None:
    """A pod that has just been made."""
    assert read_pod({"metadata": {"name": "p"}, "status": status}) == PodFacts(name="p")


def test_boards_in_trouble_come_first_and_the_rest_are_counted() -> None:
    """At most 64 rows: those that need a person are among them."""
    nodes = [node(f"pi-{i:03}") for i in range(100)]
    sightings = {n.name: seen(n.name) for n in nodes if n.name != "pi-099"}
    given = facts(nodes=nodes, sightings=sightings)
    rows = node_rows(given)

    assert len(rows) == 64
    assert (rows[0].name, rows[0].state) == ("pi-099", "Waiting")
    assert summary(given).more_nodes == 36
    assert summary(given).nodes == "99/100"


def test_temperatures_are_in_bands() -> None:
    """52.9 °C and 50 °C are the same to an SD card."""
    made = boards(read_spec({}), [node("pi")], {"pi": seen("pi", temperature_c=52.9)})
    (row,) = node_rows(facts(boards=made))

    assert row.temperature_band_c == 50


ADDRESS = "store:6379"


@pytest.mark.parametrize(
    ("error", "reason", "remedy"),
    [
        (StoreConnectionError("refused"), "StoreUnreachable", "NetworkPolicies"),
        (TimeoutError(), "StoreUnreachable", "store:6379 does not answer"),
        (AuthenticationError("WRONGPASS ..."), "StoreRefusesPassword", "operator-password"),
        (ResponseError("NOAUTH ..."), "StoreRefusesPassword", "Secret"),
        (NoPermissionError("no permission"), "StoreForbids", "orion-inference-operator acl"),
        (BusyLoadingError("LOADING"), "StoreLoading", "wait"),
        (OutOfMemoryError("OOM"), "StoreFull", "maxmemory"),
        (ReadOnlyError("READONLY"), "StoreReadOnly", "primary"),
        (ResponseError("MISCONF Errors writing"), "StoreCannotPersist", "free space"),
        (Misconfigured("version 6.2; use Redis 7.0"), "StoreUnfit", "7.0"),
        (StoreUnavailable("no functions"), "StoreUnavailable", "no functions"),
        (ResponseError("what"), "StoreUnreachable", "does not answer"),
        (KeyError("x"), "StoreUnavailable", "KeyError"),
    ],
)
def test_an_error_of_the_store_has_a_reason_and_a_remedy(
    error: Exception, reason: str, remedy: str
) -> None:
    """Each says in one word what it is, and in a sentence what to do."""
    trouble = of_error(error, ADDRESS)

    assert trouble.reason == reason
    assert remedy in trouble.message
    given = facts(store=StoreFacts(trouble=trouble))
    assert word(given, "Ready") == (False, reason)


def test_a_refused_password_is_found_below_other_errors() -> None:
    """check_store wraps it."""
    wrapped = StoreUnavailable("the store does not answer: ...")
    wrapped.__cause__ = AuthenticationError("WRONGPASS")
    forbidden = StoreUnavailable("this user may not load it; start the operator")
    forbidden.__cause__ = NoPermissionError("no permissions to run 'function|load'")

    assert of_error(wrapped, ADDRESS).reason == "StoreRefusesPassword"
    trouble = of_error(forbidden, ADDRESS)
    assert trouble.reason == "StoreForbids"
    assert "function|load" in trouble.message


@pytest.mark.parametrize(
    ("info", "settings", "reason"),
    [
        ({"aof_enabled": 1, "maxmemory_policy": "noeviction"}, {}, ""),
        ({"aof_enabled": 0}, {}, "StoreNotDurable"),
        ({"aof_enabled": 1}, {"appendonly": "no"}, "StoreNotDurable"),
        ({"aof_enabled": 1, "maxmemory_policy": "allkeys-lru"}, {}, "StoreEvicts"),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, {}, "StoreCannotPersist"),
        ({}, {}, ""),
    ],
)
def test_a_store_that_forgets_is_refused(
    info: dict[str, Any], settings: dict[str, str], reason: str
) -> None:
    """No append-only file, an eviction policy, a disk that is full; what cannot be read is not
    held against it."""
    trouble = of_settings(info, settings)

    assert trouble.reason == reason
    given = facts(store=StoreFacts(trouble=trouble, routers={"r": 5}))
    assert word(given, "Ready")[0] is (not reason)
    assert word(given, "ConfigApplied") == (True, "Applied")


def test_everysec_is_allowed_with_a_warning() -> None:
    """A power cut loses the last second: said, not refused."""
    text = advice({"appendfsync": "everysec"})

    assert "loses the last second" in text
    assert text in seen_of(facts(store=StoreFacts(advice=text, routers={"r": 5})), "Ready").message
    assert advice({"appendfsync": "always"}) == ""
    assert NO_TROUBLE.reason == ""


def test_a_board_is_cold_until_it_has_what_is_planned_there() -> None:
    """In memory where that is asked for; what failed there is waited for by nobody."""
    spec = {"models": [{"name": "a:1b", "placement": {"classes": ["8gb"]}}]}
    empty = facts(spec)
    (planned,) = empty.plan["a:1b"].nodes
    assert cold_boards(empty) == {planned}

    here = {n.name: seen(n.name) for n in three_nodes()}
    warm = facts(spec, sightings={**here, planned: seen(planned, resident={"a:1b": 1.0})})
    assert cold_boards(warm) == set()
    keeper = {"failed": {"a:1b": "the disk is full"}}
    broken = facts(spec, sightings={**here, planned: seen(planned, keeper=keeper)})
    assert cold_boards(broken) == set()
    lazy = facts({"models": [{**spec["models"][0], "preload": False}]})
    assert cold_boards(lazy) == set()
    assert cold_boards(facts()) == set()
