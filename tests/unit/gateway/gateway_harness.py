"""A desk with behaviour and a client that speaks ASGI, for tests of the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import orjson

from orion_contracts.config import ClusterConfig
from orion_contracts.errors import OrionError, StoreUnavailable
from orion_contracts.health import DiskModel, Engine, NodeHealth, ResidentModel
from orion_contracts.messages import InferenceRequest
from orion_router.canary import Slow, Verdict
from orion_router.estimates import Standing
from orion_router.events import Event, Final, Piece
from orion_router.fleet import Fleet, Node
from orion_router.follower import Follower
from orion_router.forecast import Told
from orion_router.gateway import Gateway, create_app
from orion_router.records import Queue, Queued, RequestView
from orion_router.refusals import IdReused, UnknownRequest
from orion_router.vitals import Reading

ID = "11111111-2222-4333-8444-555555555555"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def final(text: str = "Hello", **more: Any) -> Final:
    """A completed final, as a worker writes it."""
    payload: dict[str, Any] = {
        "version": "1.0",
        "request_id": ID,
        "model": "m",
        "status": "completed",
        "response": text,
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "load_duration_ms": 3,
        "total_duration_ms": 40,
        "prompt_eval_duration_ms": 1.5,
        "eval_duration_ms": 2.25,
        "finish_reason": "stop",
        "node": "pi-a",
        "attempt": 1,
        "queue_ms": 4,
        "residency": "warm",
    }
    return Final({**payload, **more})


def failed(code: str, text: str = "it broke", **more: Any) -> Final:
    """A final of a request that did not complete."""
    return Final({"status": "failed", "error_code": code, "error": text, "attempt": 2, **more})


def piece(seq: int, *texts: str, attempt: int = 1) -> Piece:
    """A piece; the first of an attempt carries the facts."""
    deltas = [{"content": text} for text in texts]
    if seq == 1:
        return Piece(attempt, seq, deltas, "warm", 4, "pi-a")
    return Piece(attempt, seq, deltas)


HELLO: tuple[Event, ...] = (piece(1, "He"), piece(2, "l", "lo"), final())


def fleet() -> Fleet:
    """Two boards; one of them is too hot."""
    health = NodeHealth(
        node="pi-a",
        incarnation="i",
        timestamp="2026-01-01T00:00:00Z",
        engine=Engine(reachable=True, version="0.30.1"),
        temperature_c=50.0,
        models=(
            DiskModel(
                name="m",
                digest="d1",
                size_bytes=7,
                modified_at="2026-01-02T00:00:00Z",
                details={"family": "llama"},
                capabilities=("completion",),
            ),
        ),
        resident=(ResidentModel(name="m", digest="d1", size_bytes=9, expires_at="2027"),),
    )
    cool = Node("pi-a", health, alive=True, state="fresh")
    hot = Node("pi-b", health, alive=True, state="fresh", hot=True, reasons=("hot",))
    return Fleet({"pi-a": cool, "pi-b": hot})


@dataclass
class FakeVitals:
    """What the router knows about itself."""

    problem: str = ""
    store_version: str = "9.1"
    reading: Reading = field(default_factory=lambda: Reading(1.5, 2, 0, 1))


class WatchedFollower(Follower):
    """A follower that tells when and how long it is waited for."""

    waits: list[float | None]
    waited: asyncio.Event

    async def next(self, timeout_s: float | None) -> list[Event]:
        """See Follower."""
        self.waits.append(timeout_s)
        self.waited.set()
        return await super().next(timeout_s)


@dataclass
class FakeDesk:
    """Answers every request with `script`; remembers what it was asked."""

    script: Sequence[Event] = HELLO
    error: OrionError | None = None
    fleet: Fleet = field(default_factory=fleet)
    config: ClusterConfig = field(default_factory=ClusterConfig)
    config_error: str = ""
    slow: Verdict = field(default_factory=dict[str, Mapping[str, Slow]])
    told: Told = field(default_factory=lambda: Told(True, "router-0"))
    stands: Standing | None = None
    """Where every request stands in the queue."""
    store_is_away: bool = False
    """Cancels are refused."""
    submitted: list[InferenceRequest] = field(default_factory=list[InferenceRequest])
    cancelled: list[str] = field(default_factory=list[str])
    tried: list[str] = field(default_factory=list[str])
    marks: dict[str, str] = field(default_factory=dict[str, str])
    followers: list[Follower] = field(default_factory=list[Follower])
    waits: list[float | None] = field(default_factory=list[float | None])
    waited: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody waits for an answer."""
    closed: int = 0

    async def submit(
        self, request: InferenceRequest, *, mark: str = "", follow: bool = True
    ) -> Follower:
        """As the desk does."""
        if self.error is not None:
            raise self.error
        known = self.marks.setdefault(request.request_id, mark)
        if known != mark:
            raise IdReused("used before with another content", "request_id")
        self.submitted.append(request)
        return self._follow(request.request_id, (0, 0))

    async def attach(self, request_id: str, after: tuple[int, int] = (0, 0)) -> Follower:
        """As the desk does."""
        if request_id not in self.marks:
            raise UnknownRequest(f"no request {request_id} is known")
        return self._follow(request_id, after)

    def _follow(self, request_id: str, after: tuple[int, int]) -> Follower:
        follower = WatchedFollower(request_id, after, on_close=self._closed)
        follower.waits, follower.waited = self.waits, self.waited
        self.followers.append(follower)
        self.feed(*self.script)
        return follower

    def feed(self, *events: Event) -> None:
        """Something happens to the newest request."""
        for event in events:
            self.followers[-1].feed(event)

    def _closed(self, follower: Follower) -> None:
        self.closed += 1

    async def cancel(self, request_id: str) -> str:
        """As the desk does."""
        self.tried.append(request_id)
        if self.store_is_away:
            raise StoreUnavailable("no store")
        self.cancelled.append(request_id)
        return "PENDING" if request_id in self.marks else "UNKNOWN"

    async def view(self, request_id: str) -> RequestView | None:
        """As the desk does."""
        if request_id not in self.marks:
            return None
        return RequestView(
            request_id=request_id, state="RUNNING", attempt=1, node="pi-a", model="m",
            history="", accepted_ms=5, crashes=0, losses=0, callback="", fingerprint="",
        )  # fmt: skip

    async def requests(self, limit: int) -> list[RequestView]:
        """As the desk does."""
        views = [await self.view(request_id) for request_id in self.marks]
        return [view for view in views if view is not None][:limit]

    async def queue(self, limit: int) -> Queue:
        """As the desk does; all that is known waits."""
        waiting = [Queued(view, "interactive") for view in await self.requests(limit)]
        return Queue(len(self.marks), tuple(waiting))

    def decisions(self, limit: int, request_id: str = "") -> Told:
        """As the desk does, with what it was given."""
        noted = [n for n in self.told.noted if request_id in ("", n.decision.request_id)]
        return replace(self.told, noted=noted[:limit])

    async def standing(self, request_id: str) -> Standing | None:
        """As the desk does."""
        return self.stands


@dataclass
class Exchange:
    """One HTTP exchange with the app."""

    incoming: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue[dict[str, Any]])
    sent: list[MutableMapping[str, Any]] = field(default_factory=list[MutableMapping[str, Any]])
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    async def receive(self) -> MutableMapping[str, Any]:
        """The app's side."""
        return await self.incoming.get()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """The app's side."""
        self.sent.append(message)
        self.moved.set()

    def leave(self) -> None:
        """The client closes the connection."""
        self.incoming.put_nowait({"type": "http.disconnect"})

    async def until(self, test: Callable[[], bool]) -> None:
        """Wait until what was sent passes the test."""
        async with asyncio.timeout(4):
            while not test():
                await self.moved.wait()
                self.moved.clear()

    async def ended(self) -> Exchange:
        """Wait for the end of the app's call; a call that goes on is not cut off here: the app
        takes that for the server's end, and ends."""
        assert self.task is not None
        ended, _ = await asyncio.wait({self.task}, timeout=4)
        assert ended, "the app's call goes on"
        await self.task
        return self

    @property
    def status(self) -> int:
        """The status line."""
        return cast(int, self.sent[0]["status"])

    @property
    def headers(self) -> Mapping[str, str]:
        """The response's headers."""
        found: list[tuple[bytes, bytes]] = self.sent[0]["headers"]
        return {name.decode().lower(): value.decode() for name, value in found}

    @property
    def body(self) -> bytes:
        """All of the body that was sent."""
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        """The body as NDJSON."""
        return [orjson.loads(line) for line in self.body.splitlines()]

    @property
    def events(self) -> list[Any]:
        """The data of the body's server-sent events, without the last [DONE]."""
        data = [e[6:] for e in self.body.split(b"\n\n") if e.startswith(b"data: ")]
        return [orjson.loads(each) for each in data if each != b"[DONE]"]


class Client:
    """Calls the app as a server would."""

    def __init__(self, desk: FakeDesk, app: Gateway) -> None:
        self.desk, self.app = desk, app

    def open(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        parts: Sequence[bytes] | None = None,
        unfinished: bool = False,
    ) -> Exchange:
        """Begin an exchange. `parts`: a raw body in pieces instead of a document. `unfinished`:
        more of it is still to come."""
        exchange = Exchange()
        if parts is None:
            parts = [
                body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
            ]
        for index, part in enumerate(parts):
            more = unfinished or index < len(parts) - 1
            exchange.incoming.put_nowait({"type": "http.request", "body": part, "more_body": more})
        bare, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": bare,
            "raw_path": bare.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (k.lower().encode(), v.encode("latin-1")) for k, v in (headers or {}).items()
            ],
            "server": ("127.0.0.1", 8080),
            "client": ("127.0.0.1", 1),
        }
        exchange.task = asyncio.create_task(
            _run(self.app(scope, exchange.receive, exchange.send)), name=f"{method} {path}"
        )
        return exchange

    async def post(self, path: str, body: object, **headers: str) -> Exchange:
        """A whole POST; underscores in header names mean hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.open("POST", path, body, named).ended()

    async def get(self, path: str, **headers: str) -> Exchange:
        """A whole GET."""
        return await self.open("GET", path, None, headers).ended()


async def eventually(test: Callable[[], bool]) -> None:
    """Let the app's tasks run until the test passes."""
    async with asyncio.timeout(4):
        while not test():  # noqa: ASYNC110 - what it tests sets no event
            await asyncio.sleep(0)


async def _run(call: Any) -> None:
    await call


@asynccontextmanager
async def client(desk: FakeDesk | None = None, **options: Any) -> AsyncGenerator[Client]:
    """A client of a gateway in front of a desk."""
    desk = desk or FakeDesk()
    yield Client(desk, create_app(desk, FakeVitals(), "0.1.0", **options))
