"""Boards that became slow, and how it is told."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from builders.fleets import fleet, node
from orion_cli.rows import of_node
from orion_cli.slowness import check_rates
from orion_contracts.health import Engine
from orion_router.canary import MOST_SHOWN, Canary, Slow
from orion_router.fleet import Node
from orion_router.gateway.health_api import health
from orion_router.gateway.nodes_api import nodes
from orion_router.learning.rates import RateBook
from unit.gateway.gateway_harness import FakeVitals

M1 = "m1:latest"


def board(version: str = "0.31.0") -> Node:
    return node("a", engine=Engine(reachable=True, version=version))


def fell(then: float = 10.0, now: float = 5.0, version: str = "0.30.0") -> RateBook:
    book = RateBook()
    for rate in (then, now):
        for _ in range(5):
            book.learn("a", M1, output_tokens=100, output_s=100 / rate, version=version)
    return book


def test_a_fall_is_told_once_with_both_versions(caplog: pytest.LogCaptureFixture) -> None:
    """At 60 % of its best it is as it was; below, its share and what changed."""
    canary = Canary()
    canary.look(fell(now=6.0), fleet(board()), True)
    assert not canary.slow
    assert canary.shares == {("a", M1): pytest.approx(0.6)}

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            canary.look(fell(), fleet(board()), True)
    assert canary.slow == {"a": {M1: Slow(0.5, "0.30.0", "0.31.0")}}
    (record,) = caplog.records
    assert "board a writes m1:latest at 50 % of its best rate" in record.message
    assert "0.30.0" in record.message
    assert "0.31.0" in record.message


def test_the_reason_is_an_upgrade_where_there_was_one() -> None:
    """Else the power supply and the fan are to be looked at."""
    upgraded = Slow(0.5, "0.30.0", "0.31.0").why
    assert upgraded == "its Ollama went from 0.30.0 to 0.31.0 since"
    for same in (Slow(0.5, "0.30.0", "0.30.0"), Slow(0.5, "", "0.31.0"), Slow(0.5, "0.30.0", "")):
        assert "power supply" in same.why


def test_only_the_router_that_plans_judges_and_only_boards_that_are_there() -> None:
    """After it lost the lease it says nothing any more."""
    canary = Canary()
    canary.look(fell(), fleet(board()), True)
    canary.look(fell(), fleet(board()), False)
    assert (canary.slow, canary.shares) == ({}, {})
    canary.look(fell(), fleet(), True)
    assert (canary.slow, canary.shares) == ({}, {})


def test_labels_have_an_end() -> None:
    """The slowest 256 pairs are shown."""
    book = RateBook()
    for i in range(MOST_SHOWN + 9):
        for tokens in (1000,) * 5 + (1000 - i,) * 5:
            book.learn("a", f"m{i}", output_tokens=tokens, output_s=10.0)
    canary = Canary()
    canary.look(book, fleet(board()), True)

    assert len(canary.shares) == MOST_SHOWN
    assert min(canary.shares.values()) == canary.shares["a", f"m{MOST_SHOWN + 8}"]


def test_it_is_in_the_list_of_boards_and_in_the_health() -> None:
    """Health warns; without a verdict nothing is added."""
    boards, slow = fleet(board()), {"a": {M1: Slow(0.451, "0.30.0", "0.31.0")}}

    (told,) = nodes(boards, slow)["nodes"]
    assert told["slow"] == {M1: 0.45}
    assert told["slow_why"] == "its Ollama went from 0.30.0 to 0.31.0 since"
    assert "slow" not in nodes(boards)["nodes"][0]

    def checked(*more: Any) -> tuple[int, str, dict[str, Any]]:
        status, document = health(boards, FakeVitals(), "0.1.0", 0, "", *more)
        return status, document["status"], document["checks"]["nodes:ready"][1]

    status, verdict, check = checked(slow)
    assert (status, verdict, check["status"]) == (200, "warn", "warn")
    assert check["output"].startswith("m1:latest at 45 % of its best rate: its Ollama went from")
    assert checked()[:2] == (200, "pass")


def test_status_and_doctor_say_it_with_the_remedy() -> None:
    """A remark in the table; a warning that names board, model and what to look at."""
    (told,) = nodes(fleet(board()), {"a": {M1: Slow(0.451, "0.30.0", "0.31.0")}})["nodes"]

    assert of_node(told).remark == "slow: m1:latest at 45 %"
    (finding,) = check_rates([told, {"name": "b"}])
    assert (finding.level, finding.subject) == ("warn", "rates")
    assert "a is slower than it was: m1:latest at 45 %" in finding.text
    assert "from 0.30.0 to 0.31.0" in finding.text
    assert "power supply" in finding.remedy
