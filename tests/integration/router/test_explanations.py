"""Who waits is told why and how long, by the router that plans; the other one says who does."""

from __future__ import annotations

import re
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import orjson
import psutil
import pytest

from orion_contracts import keys
from orion_contracts.stamp import VERSION, iso_now
from orion_lab.stack import Stack
from servers.needs import demand

pytestmark = pytest.mark.integration
MODEL = "smollm2:135m"


class Busy:
    """One board with one place that writes ten tokens a second, and two routers."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._open: list[str] = []
        self._generation = 0
        found = [self.get(url, "/v1/decisions")["planner"] for url in stack.urls]
        self.planner, self.other = stack.urls if found[0] else reversed(stack.urls)

    def get(self, url: str, path: str) -> dict[str, Any]:
        """What a router says."""
        document: dict[str, Any] = self.stack.http.get(url + path).raise_for_status().json()
        return document

    def ask(self, tokens: int, **more: Any) -> str:
        """A request of so many tokens at the planning router; its id."""
        body: dict[str, Any] = {
            "request_id": str(uuid.uuid4()), "model": MODEL, "options": {"num_predict": tokens},
            "messages": [{"role": "user", "content": "Hello"}], **more,
        }  # fmt: skip
        answer = self.stack.http.post(f"{self.planner}/v1/requests", json=body)
        assert answer.status_code == 202, answer.text
        self._open.append(body["request_id"])
        return str(body["request_id"])

    def state(self, request_id: str) -> str:
        """Where the request is."""
        return str(self.get(self.planner, f"/v1/requests/{request_id}")["state"])

    def measured(self) -> str:
        """What the planning router tells Prometheus."""
        name = f"router-{self.stack.urls.index(self.planner)}"
        port = psutil.Process(self.stack.pid(name)).environ()["ORION_METRICS_PORT"]
        return self.stack.http.get(f"http://127.0.0.1:{port}/metrics").text

    def occupy(self) -> tuple[str, str, str]:
        """One request that runs for minutes, two that wait."""
        ids = self.ask(3000), self.ask(50), self.ask(50)
        self.stack.wait_until(lambda: self.state(ids[0]) == "RUNNING", "the first one runs")
        return ids

    def release(self) -> None:
        """End everything that was asked for."""
        while self._open:
            request_id = self._open.pop()
            self.stack.http.delete(f"{self.planner}/v1/requests/{request_id}")
            self.stack.wait_until(partial(self._ended, request_id), "it ends")

    def _ended(self, request_id: str) -> bool:
        return self.state(request_id) in ("CANCELLED", "COMPLETED")

    @contextmanager
    def routing(self, **rules: Any) -> Generator[None]:
        """With these rules of the queue in force in both routers."""
        with self.stack.client() as store:
            try:
                self._apply(store, rules)
                yield
            finally:
                self._apply(store, {})

    def _apply(self, store: Any, rules: dict[str, Any]) -> None:
        self._generation += 1
        wanted = b"%d" % self._generation
        document = {
            "version": VERSION, "generation": self._generation, "timestamp": iso_now(),
            "source": "test", "routing": rules,
        }  # fmt: skip
        store.set(keys.CONFIG, orjson.dumps(document))
        self.stack.wait_until(
            lambda: set(store.hvals(keys.CONFIG_APPLIED)) == {wanted}, "the rules are applied"
        )


@pytest.fixture(scope="module")
def system() -> Iterator[Busy]:
    """The processes, with one request done: the board's speed was seen."""
    demand("valkey9")
    with Stack(["pi-a:zero"], routers=2, appendfsync="no") as stack:
        stack.boards["pi-a"].set_fault(token_delay_ms=100)
        busy = Busy(stack)
        first = busy.ask(20)
        stack.wait_until(lambda: busy.state(first) == "COMPLETED", "the first answer")
        yield busy


@pytest.fixture
def busy(system: Busy) -> Iterator[Busy]:
    """The same, idle again afterwards."""
    try:
        yield system
    finally:
        system.release()


def test_a_newcomers_decision_bears_its_id_and_its_time(busy: Busy) -> None:
    """Given to its board in the step that admitted it, and found under its own id."""
    request_id = busy.ask(1)

    (decision,) = busy.get(busy.planner, f"/v1/decisions?request_id={request_id}")["decisions"]

    assert (decision["request_id"], decision["model"]) == (request_id, MODEL)
    assert (decision["verdict"], decision["node"]) == ("assign", "pi-a")
    (candidate,) = decision["candidates"]
    assert candidate["reason"] is None
    assert candidate["terms"]["completion_s"] > 0
    assert decision["at"][:10] == iso_now()[:10]


def test_who_waits_is_told_where_and_how_long(busy: Busy) -> None:
    """Position, board and start, each later than the one before; why it waits; in the queue too."""
    _, first, second = busy.occupy()
    busy.stack.wait_until(
        lambda: "estimated_start_s" in busy.get(busy.planner, f"/v1/requests/{second}"), "a plan"
    )

    views = [busy.get(busy.planner, f"/v1/requests/{each}") for each in (first, second)]
    queued = busy.get(busy.planner, "/v1/queue")["requests"]
    (decision,) = busy.get(busy.planner, f"/v1/decisions?request_id={second}")["decisions"]

    assert [(v["queue_position"], v["planned_node"]) for v in views] == [(0, "pi-a"), (1, "pi-a")]
    assert 0 < views[0]["estimated_start_s"] < views[1]["estimated_start_s"]
    assert [each["request_id"] for each in queued] == [first, second]
    assert [each["queue_position"] for each in queued] == [0, 1]
    assert (decision["verdict"], decision["candidates"][0]["reason"]) == ("wait", "full")


def test_the_other_router_says_who_plans_and_knows_the_place_alone(busy: Busy) -> None:
    """It has no plan: the ledger's position, no board, no time, no decisions."""
    _, first, second = busy.occupy()
    named = {url: f"router-{i}" for i, url in enumerate(busy.stack.urls)}

    told = busy.get(busy.other, f"/v1/decisions?request_id={first}")
    view = busy.get(busy.other, f"/v1/requests/{second}")

    assert told == {"planner": False, "planned_by": named[busy.planner], "decisions": []}
    assert view["queue_position"] == 1
    assert not {"planned_node", "estimated_start_s"} & set(view)


def test_a_full_queue_says_when_a_place_is_free(busy: Busy) -> None:
    """Retry-After is the expected start of the one that begins first; Prometheus is told."""
    with busy.routing(max_queue_requests=2):
        _, first, _ = busy.occupy()
        busy.stack.wait_until(
            lambda: "estimated_start_s" in busy.get(busy.planner, f"/v1/requests/{first}"), "a plan"
        )
        start_s = busy.get(busy.planner, f"/v1/requests/{first}")["estimated_start_s"]
        answer = busy.stack.http.post(f"{busy.planner}/v1/requests", json=_small())

    assert (answer.status_code, answer.json()["code"]) == (503, "queue_full")
    assert abs(int(answer.headers["retry-after"]) - start_s) <= 3
    assert 'orion_refusals_total{reason="queue_full"} 1.0' in busy.measured()
    busy.stack.wait_until(lambda: _wait_s(busy.measured()) > start_s / 2, "it is measured")


def test_nobody_is_to_wait_beyond_the_bound(busy: Busy) -> None:
    """With two ahead and ten tokens a second, a second is too long: refused in its own words; who
    was accepted before is not refused for asking again."""
    _, _, second = busy.occupy()
    with busy.routing(max_wait_s=1):
        answer = busy.stack.http.post(f"{busy.planner}/v1/chat/completions", json=_small())
        again = busy.stack.http.post(
            f"{busy.planner}/v1/requests", json={**_small(50), "request_id": second}
        )

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "queue_wait")
    assert 1 <= int(answer.headers["retry-after"]) <= 600
    assert again.status_code == 202


def _wait_s(metrics: str) -> float:
    found = re.search(r"^orion_queue_expected_wait_seconds (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _small(tokens: int = 5) -> dict[str, Any]:
    said = [{"role": "user", "content": "Hello"}]
    return {"model": MODEL, "messages": said, "options": {"num_predict": tokens}}
