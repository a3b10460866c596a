"""Any order of events: the invariants of the ledger hold after each step, and all ends in finals.

ORION_LEDGER_EXAMPLES=5000 looks further than the 50 examples of `make test` and the 200 of
`make test-contract`.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar, cast

import fakeredis
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orion_contracts import keys
from orion_contracts.ledger import Limits, library_source

pytestmark = [pytest.mark.contract, pytest.mark.timeout(900)]
TERMINAL = {"COMPLETED", "FAILED", "EXPIRED", "CANCELLED", "REJECTED"}
NODES = ("pi-a", "pi-b", "pi-c")
STAMP = "2026-01-01T00:00:00.000Z"
LIMITS = Limits()
LIMIT_ARGS = (LIMITS.crashes, LIMITS.losses, LIMITS.refusals)
DEPTH = 2
T = TypeVar("T")
node_names = st.sampled_from(NODES)


class Run:
    """A worker's belief that it runs something; nothing tells it that it is a zombie."""

    def __init__(self, request_id: str, token: str, node: str, attempt: int) -> None:
        self.request_id, self.token, self.node, self.attempt = request_id, token, node, attempt
        self.seq = 0


class Bell(NamedTuple):
    """A doorbell that a worker may hear."""

    request_id: str
    token: str
    node: str
    entry: str
    worker: str


recent = st.integers(0, 5)
mostly = st.sampled_from([True, True, True, False])
has_bells = precondition(lambda self: bool(self.bells))
has_runs = precondition(lambda self: bool(self.runs))


def pick(things: Sequence[T], back: int) -> T:
    """One of the newest, so that events meet."""
    return things[-1 - back % len(things)]


class Machine(RuleBasedStateMachine):
    """Clients, planners, boards and the clock, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.store: Any = fakeredis.FakeRedis(server=fakeredis.FakeServer(version=(7, 0)))
        self.store.function_load(library_source())
        self.known: dict[str, dict[str, Any]] = {}
        self.bells: list[Bell] = []
        self.runs: list[Run] = []
        self.attempts: dict[str, int] = {}
        self.incarnation: dict[str, int] = dict.fromkeys(NODES, 0)
        self.truth = 0
        self.stepped = False
        self.epoch = "0"
        self.planners = 0
        self.nonces = 0
        self.stepped_by = 0

    def call(self, name: str, *args: Any) -> Any:
        """A function of the library; bytes become text."""
        return plain(self.store.execute_command("FCALL", f"orion_{name}", 0, *args))

    def now(self) -> int:
        """The ledger's clock, uncorrected."""
        seconds, micros = self.store.time()
        return (
            int(seconds) * 1000
            + int(micros) // 1000
            + int(self.store.hget(keys.CLOCK, "offset") or 0)
        )

    def record(self, request_id: str) -> dict[str, str]:
        """The record's fields."""
        return cast(dict[str, str], plain(self.store.hgetall(keys.record(request_id))))

    def worker(self, node: str) -> str:
        """The node's incarnation."""
        return f"{node}#{self.incarnation[node]}"

    # --- events --------------------------------------------------------------------------------

    @initialize(streams=st.lists(st.booleans(), min_size=3, max_size=3), running=st.integers(0, 3))
    def begin(self, streams: list[bool], running: int) -> None:
        """Boards, a planner and the first requests, some of them running: most rules need one."""
        self.epoch = self.call("planner", "router-0", "")[1]
        for node in NODES:
            self.restart(node)
        for n, stream in enumerate(streams):
            self.submit(batch=False, stream=stream, own=n == 0, ttl=1_800_000)
        for n in range(running):
            self.dispatch(0, NODES[n % 2], waiting=True, begin=True, revive=False)

    @rule(
        batch=st.booleans(),
        stream=st.booleans(),
        own=st.booleans(),
        ttl=st.sampled_from([5_000, 60_000, 1_800_000]),
    )
    def submit(self, batch: bool, stream: bool, own: bool, ttl: int) -> None:
        """A new request, queued or refused."""
        request_id = str(uuid.UUID(int=len(self.known) + 1))
        reply = keys.responses(request_id) if own else f"client:{request_id}"
        facts = {"reply": reply, "ttl": ttl, "stream": stream, "batch": batch}
        if self.admit(request_id, facts)[0] == "NEW":
            self.known[request_id] = facts

    def admit(self, request_id: str, facts: dict[str, Any]) -> list[str]:
        """The call of a gateway."""
        return cast(list[str], self.call(
            "admit", request_id, facts["reply"], "", facts["ttl"], b"body", b"{}",
            int(facts["batch"]), int(facts["stream"]), "m", "mark", 12, 10_000, "refuse", STAMP,
            "", "", "", "", "", "", "", "",
        ))  # fmt: skip

    def duplicate(self) -> None:
        """The same requests again change nothing."""
        for request_id, facts in self.known.items():
            before = self.record(request_id)
            assert self.admit(request_id, facts)[0] == "DUP"
            assert self.record(request_id) == before

    def deposed_dispatch(self) -> None:
        """A planner that lost its lease assigns nothing."""
        for request_id in self.known:
            args = (request_id, "pi-a", "0", DEPTH, "n", 10_000)
            assert self.call("dispatch", *args)[0] == "NOT_PLANNER"

    @rule(back=recent, node=node_names, waiting=mostly, begin=mostly, revive=mostly)
    def dispatch(self, back: int, node: str, waiting: bool, begin: bool, revive: bool) -> None:
        """A planner gives a request to a board, which may hear of it at once."""
        if revive:
            self.beat(node)
        queue = plain(self.store.zrange(keys.QUEUE, 0, -1))
        request_id = pick(queue if queue and waiting else list(self.known), back)
        before = self.record(request_id).get("state")
        self.nonces += 1
        reply = self.call("dispatch", request_id, node, self.epoch, DEPTH, self.nonces, 10_000)
        if reply[0] != "ASSIGNED":
            return
        assert before == "QUEUED"
        entry = self.store.xrevrange(keys.node_requests(node), count=1)[0][0].decode()
        self.bells.append(Bell(request_id, reply[1], node, entry, self.worker(node)))
        if begin:
            self.start(0)

    @has_bells
    @rule(back=recent)
    def start(self, back: int) -> None:
        """A worker hears a doorbell: in time, late, twice, or after its own restart."""
        request_id, token, node, entry, worker = pick(self.bells, back)
        before = self.record(request_id)
        reply = self.call("start", node, entry, request_id, token, worker, 15_000)
        if reply[0] != "RUN":
            return
        assert before["state"] in ("ASSIGNED", "RUNNING")
        assert reply[2] == "body"
        assert int(reply[5]) >= 0
        self.runs.append(Run(request_id, reply[1], node, int(reply[4])))

    @has_bells
    @rule(back=recent)
    def lose_doorbell(self, back: int) -> None:
        """A doorbell vanishes: only time is lost."""
        bell = pick(self.bells, back)
        self.bells.remove(bell)
        self.store.xdel(keys.node_requests(bell.node), bell.entry)

    @has_runs
    @rule(back=recent, again=st.booleans(), speak=st.booleans())
    def emit(self, back: int, again: bool, speak: bool) -> None:
        """A worker, perhaps a zombie, emits a chunk, repeats one, or sends a sign of life."""
        run = pick(self.runs, back)
        before = self.record(run.request_id)
        run.seq += 0 if again and run.seq else 1
        chunk = f"{run.attempt}:{run.seq}" if speak else ""
        reply = self.call("emit", run.request_id, run.token, 15_000, run.seq, chunk)
        mine = before["state"] == "RUNNING" and before["token"] == run.token
        assert (reply == "FENCED") == (not mine)
        assert (reply == "CANCEL") == (mine and before.get("cancel") == "1")
        if reply == "OK":  # the lease is whole, or two thirds of it
            due = self.store.zscore(keys.DUE, run.request_id)
            assert due >= min(int(before["deadline"]), self.now() - 1000 + 10_000)

    @has_runs
    @rule(back=recent, fail=st.booleans())
    def finish(self, back: int, fail: bool) -> None:
        """A worker, perhaps a zombie, perhaps for the second time, sends its final."""
        run = pick(self.runs, back)
        before = self.record(run.request_id)
        state = "FAILED" if fail else "COMPLETED"
        final = json.dumps({"by": run.token})
        last = f"{run.attempt}:{run.seq + 1}"
        reply = self.call("finish", run.request_id, run.token, state, final, run.seq + 1, last, "")
        mine = before["state"] == "RUNNING" and before["token"] == run.token
        assert (reply == "OK") == mine
        assert reply in ("OK", "ALREADY", "DUP", "FENCED")
        assert (reply == "ALREADY") == (
            before["state"] in TERMINAL and before.get("done") == run.token
        )

    @has_runs
    @rule(back=recent, kind=st.sampled_from(["none", "crash", "crash", "loss", "refused"]))
    def release(self, back: int, kind: str) -> None:
        """A worker, perhaps a zombie, gives work back, in its place."""
        run = pick(self.runs, back)
        before = self.record(run.request_id)
        reply = self.call("release", run.request_id, run.token, kind, "w", STAMP, *LIMIT_ARGS)
        assert (reply == "OK") == (before.get("token") == run.token)
        if self.record(run.request_id)["state"] == "QUEUED":
            assert self.store.zscore(keys.QUEUE, run.request_id) == float(before["score"])

    @rule(back=recent)
    def cancel(self, back: int) -> None:
        """A client changes its mind."""
        request_id = pick(list(self.known), back)
        before = self.record(request_id).get("state", "UNKNOWN")
        reply = self.call("cancel", request_id, STAMP)
        assert reply == {
            "QUEUED": "CANCELLED", "ASSIGNED": "CANCELLED", "RUNNING": "PENDING",
        }.get(before, before)  # fmt: skip

    @rule(node=node_names, event=st.sampled_from(["restart", "fall_silent", "beat", "leave"]))
    def board(self, node: str, event: str) -> None:
        """A board dies, pauses, speaks or stops."""
        getattr(self, event)(node)

    def restart(self, node: str) -> None:
        """A worker died and is back as a new incarnation (its old one may still speak)."""
        self.incarnation[node] += 1
        self.call("enlist", node, self.worker(node), STAMP, *LIMIT_ARGS)
        self.store.persist(keys.alive(node))

    def fall_silent(self, node: str) -> None:
        """A board's sign of life lapses."""
        self.store.delete(keys.alive(node))

    def beat(self, node: str) -> None:
        """A worker shows that it lives, perhaps after a silence."""
        if self.incarnation[node]:
            self.call("beat", node, self.worker(node), 4000)
            self.store.persist(keys.alive(node))

    def leave(self, node: str) -> None:
        """A worker stops in peace."""
        self.call("leave", node, self.worker(node), STAMP, *LIMIT_ARGS)

    @rule(ms=st.sampled_from([1, 900, 4_000, 11_000, 16_000, 61_000]))
    def tick(self, ms: int) -> None:
        """Time passes."""
        self.truth += ms
        self.store.hincrby(keys.CLOCK, "offset", ms)

    @precondition(lambda self: not self.stepped and self.store.hget(keys.CLOCK, "last"))
    @rule(ms=st.sampled_from([-3 * 86_400_000, -3_600_000, 3_600_000, 3 * 86_400_000]))
    def step_clock(self, ms: int) -> None:
        """The store's clock is stepped; the planner's own is right."""
        self.stepped_by = ms
        self.stepped = True
        self.store.hincrby(keys.CLOCK, "offset", ms)

    @rule()
    def sweep(self) -> None:
        """The planner sweeps; told of a step it first sets the clock right."""
        expected = self.now() - (self.stepped_by if self.stepped else 0)
        states = {i: self.record(i)["state"] for i in self.known}
        reply = self.call("sweep", self.epoch, expected, 64, STAMP, *LIMIT_ARGS)
        if reply[0] == "JUMP":
            assert self.stepped
            assert {i: self.record(i)["state"] for i in self.known} == states
            assert self.call("steady", self.epoch, expected, 15_000) == "OK"
            self.stepped = False
            reply = self.call("sweep", self.epoch, self.now(), 64, STAMP, *LIMIT_ARGS)
        assert reply[0] == "OK"

    @rule(event=st.sampled_from(["grace", "change_planner", "deposed_dispatch", "duplicate"]))
    def aside(self, event: str) -> None:
        """What changes nothing of any request."""
        before = {i: self.record(i)["state"] for i in self.known}
        getattr(self, event)()
        assert {i: self.record(i)["state"] for i in self.known} == before

    def grace(self) -> None:
        """The store stood still."""
        assert self.call("grace", self.epoch, 15_000) == "OK"

    def change_planner(self) -> None:
        """Two challengers; one wins; the old epoch is worth nothing."""
        seen = self.epoch
        self.planners += 1
        first = self.call("planner", f"router-{self.planners}", seen)
        second = self.call("planner", "too late", seen)
        assert (first[0], second[0]) == ("TAKEN", "OTHER")
        self.epoch = first[1]
        assert self.call("sweep", seen, "", 64, STAMP, *LIMIT_ARGS) == ["NOT_PLANNER"]

    # --- what always holds ---------------------------------------------------------------------

    @invariant()
    def what_always_holds(self) -> None:
        """All of it, on one reading of the records."""
        records = {i: self.record(i) for i in self.known}
        self.records_and_indices_tell_one_story(records)
        self.one_final_exactly_when_terminal(records)
        self.attempts_and_chunks_only_rise(records)
        # I7: nothing is answered that was not accepted
        streams = {k.decode() for k in self.store.scan_iter(match=keys.responses("*"))}
        assert streams <= {keys.responses(i) for i in self.known}

    def records_and_indices_tell_one_story(self, records: dict[str, dict[str, str]]) -> None:
        """I1, I4, I5, I6: queue, due, slots and bytes are those of the records."""
        queued = {i for i, r in records.items() if r["state"] == "QUEUED"}
        live = {i for i, r in records.items() if r["state"] not in TERMINAL}
        assert set(plain(self.store.zrange(keys.QUEUE, 0, -1))) == queued
        assert set(plain(self.store.zrange(keys.DUE, 0, -1))) == live
        assert int(self.store.get(keys.BYTES) or 0) == 4 * len(live)
        for node in NODES:
            held = {
                i for i, r in records.items()
                if r["state"] in ("ASSIGNED", "RUNNING") and r["node"] == node
            }  # fmt: skip
            assert plain(self.store.smembers(keys.inflight(node))) == held
            assert len(held) <= DEPTH
        due = dict(self.store.zrange(keys.DUE, 0, -1, withscores=True))
        for request_id, record in records.items():
            assert due.get(request_id.encode(), 0) <= int(record["deadline"])
            if record["state"] in TERMINAL:
                assert not {"body", "meta", "token", "mailbox"} & set(record)
                assert self.store.ttl(keys.record(request_id)) > 0
            else:
                assert record["body"] == "body"
                assert self.store.ttl(keys.record(request_id)) == -1

    def one_final_exactly_when_terminal(self, records: dict[str, dict[str, str]]) -> None:
        """I2: on our stream and on the client's own."""
        for request_id, facts in self.known.items():
            wanted = int(records[request_id]["state"] in TERMINAL)
            for stream in {facts["reply"], keys.responses(request_id)}:
                kinds = [f[b"type"] for _, f in self.store.xrange(stream)]
                assert kinds.count(b"final") == wanted
                assert b"final" not in kinds[:-1]
            if wanted:  # the worker that closed it wrote it
                final = json.loads(self.store.xrange(keys.responses(request_id))[-1][1][b"payload"])
                assert final.get("by") == records[request_id].get("done")

    def attempts_and_chunks_only_rise(self, records: dict[str, dict[str, str]]) -> None:
        """I3: attempt never falls; (attempt, seq) rises strictly; counters keep their limits."""
        for request_id, facts in self.known.items():
            record = records[request_id]
            assert int(record["attempt"]) >= self.attempts.get(request_id, 0)
            self.attempts[request_id] = int(record["attempt"])
            chunks = (
                []
                if not facts["stream"]
                else [
                    tuple(map(int, f[b"payload"].split(b":")))
                    for _, f in self.store.xrange(facts["reply"])
                    if f[b"type"] == b"chunk"
                ]
            )
            assert chunks == sorted(set(chunks))
            if not facts["stream"] and record["state"] not in TERMINAL:
                assert self.store.xlen(facts["reply"]) == 0
            if record["state"] == "QUEUED":
                assert int(record["crashes"]) < LIMITS.crashes
                assert int(record["refusals"]) < LIMITS.refusals
            assert int(record["losses"]) >= 0

    def teardown(self) -> None:
        """I8: with the faults gone everything ends within deadlines, leases and sweeps."""
        if self.epoch == "0":
            return
        for _ in range(2):
            self.sweep()
            self.tick(1_800_001)
        self.sweep()
        for request_id in self.known:
            assert self.record(request_id)["state"] in TERMINAL
        self.what_always_holds()


def plain(value: Any) -> Any:
    """Bytes become text, all the way down."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, set):
        return {plain(item) for item in value}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


EXAMPLES = settings(
    max_examples=int(os.environ.get("ORION_LEDGER_EXAMPLES", "50")),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
)


def test_any_order_of_events() -> None:
    """See the module's docstring."""
    run_state_machine_as_test(Machine, settings=EXAMPLES)
