"""A bench for the ledger: one store with the library, and short words for what tests do to it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from orion_contracts import keys, schema
from orion_contracts.ledger import (
    Admission,
    Closed,
    DirectEntry,
    FailureKind,
    LeaseTimes,
    Ledger,
    Limits,
    Started,
    Swept,
)
from orion_contracts.messages import InferenceRequest

TERMINAL = {"COMPLETED", "FAILED", "EXPIRED", "CANCELLED", "REJECTED"}
STAMP = "2026-01-01T00:00:00.000Z"
MAILBOX = keys.mailbox("router-a")


def a_request(request_id: str = "", **fields: Any) -> InferenceRequest:
    """A request with a fresh id; `fields` replace its own."""
    fields.setdefault("messages", ({"role": "user", "content": "hello"},))
    fields.setdefault("model", "smollm2:135m")
    return InferenceRequest(
        request_id=request_id or str(uuid.uuid4()), timestamp=STAMP, source="test", **fields
    )


@dataclass(frozen=True)
class Held:
    """A request that a board was given, and the doorbell that said so."""

    request_id: str
    node: str
    token: str
    entry: str


@dataclass
class Bench:
    """The ledger under test. Its clock is moved by moving its offset: same on every store."""

    store: Any  # a redis.asyncio.Redis: its answers are unions that say nothing here
    times: LeaseTimes = field(default_factory=LeaseTimes)
    limits: Limits = field(default_factory=Limits)
    epoch: str = ""

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.store, self.times, self.limits)

    async def begin(self) -> Bench:
        """Hold the planner lease."""
        self.epoch = (await self.ledger.planner("router-a")).epoch
        return self

    # --- acting --------------------------------------------------------------------------------

    async def call(self, name: str, *args: Any) -> Any:
        """A function of the library, its arguments as they are."""
        return await self.store.execute_command("FCALL", f"orion_{name}", 0, *args)

    async def board(self, node: str, incarnation: str = "") -> str:
        """A living board whose sign of life does not lapse by itself; returns the incarnation."""
        incarnation = incarnation or f"{node}#1"
        await self.ledger.enlist(node, incarnation)
        await self.store.persist(keys.alive(node))
        return incarnation

    async def silence(self, node: str) -> None:
        """Let a board's sign of life lapse."""
        await self.store.delete(keys.alive(node))

    async def submit(self, request: InferenceRequest | None = None, **how: Any) -> str:
        """Admit a request that stays queued; returns its id."""
        request = request or a_request()
        admission = await self.admit(request, **how)
        assert admission.state == "NEW", admission
        return request.request_id

    async def admit(self, request: InferenceRequest, **how: Any) -> Admission:
        """Admit with the wire document as body."""
        body = json.dumps(request.to_wire()).encode()
        return await self.ledger.admit(request, body, b"{}", **how)

    async def assigned(self, request_id: str, node: str = "pi-a", depth: int = 99) -> Held:
        """Dispatch a queued request and read its doorbell."""
        given = await self.ledger.dispatch(request_id, node, self.epoch, depth)
        assert given.obstacle is None, given
        return await self.doorbell(request_id, node)

    async def doorbell(self, request_id: str, node: str) -> Held:
        """Read the board's stream until the newest doorbell of this request."""
        found: Held | None = None
        for entry, fields in await self.read(keys.node_requests(node), keys.WORKERS_GROUP):
            if fields.get(b"id") == request_id.encode():
                found = Held(request_id, node, fields[b"token"].decode(), entry)
        assert found is not None, f"no doorbell of {request_id}"
        return found

    async def read(
        self, stream: str, group: str, consumer: str = "me"
    ) -> list[tuple[str, dict[bytes, bytes]]]:
        """New entries of a stream for a group."""
        reply: Any = await self.store.xreadgroup(group, consumer, {stream: ">"}, count=1000)
        return [(e.decode(), f) for _, entries in reply for e, f in entries]

    async def start(self, held: Held, incarnation: str = "") -> Started | None:
        """Begin what the doorbell announced."""
        return await self.ledger.start(
            held.node, held.entry, held.request_id, held.token, incarnation or f"{held.node}#1"
        )

    async def running(self, request_id: str = "", node: str = "pi-a", **fields: Any) -> Held:
        """A request that the board runs, with the running token. Enlists the board if needed."""
        if not await self.store.exists(keys.alive(node)):
            await self.board(node)
        request_id = request_id or await self.submit(a_request(**fields))
        held = await self.assigned(request_id, node)
        me = cast(bytes, await self.store.get(keys.alive(node))).decode()
        started = await self.start(held, me)
        assert started is not None
        return Held(request_id, node, started.token, held.entry)

    async def finish(self, held: Held, text: str = "done", **how: Any) -> Closed:
        """Finish as the worker would."""
        return await self.ledger.finish(
            held.request_id, held.token, "completed", final_of(held.request_id, text), **how
        )

    async def emit(self, held: Held, seq: int = 0, payload: bytes = b"") -> str:
        """Emit as the worker would."""
        return await self.ledger.emit(held.request_id, held.token, seq, payload)

    async def release(
        self, held: Held, kind: FailureKind = FailureKind.NONE, why: str = "why"
    ) -> bool:
        """Release as the worker would."""
        return await self.ledger.release(held.request_id, held.token, kind, why)

    async def sweep(self) -> Swept:
        """Sweep with an expectation that is right: time has passed, no clock was stepped."""
        return await self.ledger.sweep(self.epoch, await self.now())

    async def entry(self, payload: bytes = b"{}", stream: str = keys.REQUESTS) -> DirectEntry:
        """A producer's entry on a stream, delivered to the group and not acknowledged yet."""
        group = keys.ROUTER_GROUP if stream == keys.REQUESTS else keys.WORKERS_GROUP
        if not await self.store.exists(stream):
            await self.store.xgroup_create(stream, group, "0", mkstream=True)
        entry = cast(bytes, await self.store.xadd(stream, {"payload": payload}))
        await self.read(stream, group)
        return DirectEntry(stream, group, entry.decode())

    # --- time ----------------------------------------------------------------------------------

    async def now(self) -> int:
        """The ledger's clock, uncorrected, in ms."""
        seconds, micros = cast(tuple[int, int], await self.store.time())
        offset = await self.store.hget(keys.CLOCK, "offset")
        return seconds * 1000 + micros // 1000 + int(offset or 0)

    async def pass_time(self, ms: int) -> None:
        """Move the ledger's clock. With a right expectation this is time, else it is a step."""
        await self.store.hincrby(keys.CLOCK, "offset", ms)

    # --- looking -------------------------------------------------------------------------------

    async def record(self, request_id: str) -> dict[str, str]:
        """The record's fields."""
        raw = await self.store.hgetall(keys.record(request_id))
        return {k.decode(): v.decode("utf-8", "replace") for k, v in raw.items()}

    async def state(self, request_id: str) -> str:
        """The record's state, or the empty string."""
        return (await self.record(request_id)).get("state", "")

    async def queue(self) -> list[str]:
        """Queued ids in order."""
        return [i.decode() for i in await self.store.zrange(keys.QUEUE, 0, -1)]

    async def inflight(self, node: str = "pi-a") -> set[str]:
        """What the ledger says a board holds."""
        return {i.decode() for i in await self.store.smembers(keys.inflight(node))}

    async def due(self, request_id: str) -> int | None:
        """When something must happen to the request, in ledger ms."""
        score = await self.store.zscore(keys.DUE, request_id)
        return None if score is None else int(score)

    async def entries(self, stream: str) -> list[tuple[str, str, str]]:
        """(id, type, payload) of a stream's entries."""
        reply: Any = await self.store.xrange(stream)
        return [(e.decode(), f[b"type"].decode(), f[b"payload"].decode()) for e, f in reply]

    async def payloads(self, stream: str, kind: str) -> list[str]:
        """Payloads of one type in a stream."""
        return [payload for _, k, payload in await self.entries(stream) if k == kind]

    async def finals(self, request_id: str) -> list[Mapping[str, Any]]:
        """The finals in the stream that we name, parsed."""
        texts = await self.payloads(keys.responses(request_id), "final")
        return [json.loads(text) for text in texts]

    async def the_final(self, request_id: str) -> Mapping[str, Any]:
        """The one final there must be."""
        finals = await self.finals(request_id)
        assert len(finals) == 1, finals
        return finals[0]

    async def dead(self) -> list[dict[str, str]]:
        """The dead letters, each as its schema wants it."""
        reply: Any = await self.store.xrange(keys.DEAD)
        letters = [{k.decode(): v.decode() for k, v in f.items()} for _, f in reply]
        for letter in letters:
            schema.check("dead-letter", letter)
        return letters

    async def pending(self, stream: str, group: str) -> int:
        """How many entries are delivered and not acknowledged."""
        return int((await self.store.xpending(stream, group))["pending"])


def final_of(request_id: str, text: str = "done") -> bytes:
    """A worker's final."""
    wire = {
        "version": "1.0", "request_id": request_id, "model": "smollm2:135m",
        "response": text, "timestamp": STAMP, "source": "test",
    }  # fmt: skip
    return json.dumps(wire).encode()
