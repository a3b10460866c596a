"""How nonsense is thrown at a running system: pipelined XADDs, and HTTP over kept connections."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, cast

import redis

from fuzz.mutations import Mutator

BATCH = 200
MOST_WAITING = 2000
ANSWER_WITHIN_S = 30.0


def pelt_stream(store: redis.Redis, stream: str, mutator: Mutator, count: int) -> None:
    """Add `count` entries, never more than MOST_WAITING ahead of the consumer."""
    sent = 0
    while sent < count:
        if store.xlen(stream) > MOST_WAITING:
            cast(Any, store).execute_command("WAIT", 1, 20)  # 20 ms: no replica will answer
            continue
        pipe = store.pipeline(transaction=False)
        for _ in range(min(BATCH, count - sent)):
            pipe.xadd(stream, cast(Any, mutator.entry()))
        pipe.execute()
        sent += BATCH


async def pelt_http(
    host: str, port: int, mutator: Mutator, count: int, connections: int = 32
) -> Counter[int]:
    """Post `count` bodies over some connections; how often each status came (0: none)."""
    statuses: Counter[int] = Counter()
    left = count

    async def one() -> None:
        nonlocal left
        line: Line | None = None
        while left > 0:
            left -= 1
            line = line or await Line.open(host, port)
            path = mutator.path()
            status = await line.post(path, mutator.mutant(mutator.body(path)), mutator.headers())
            statuses[status] += 1
            if not line.usable:
                line.close()
                line = None
        if line is not None:
            line.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(one())
    return statuses


class Line:
    """One connection that speaks as much HTTP as this needs: a client library costs ten times
    what the router does."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.usable = True

    @classmethod
    async def open(cls, host: str, port: int) -> Line:
        """Connect."""
        return cls(*await asyncio.open_connection(host, port))

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        """The status of the answer, which is read to its end; 0 when none came."""
        lines = [f"POST {path} HTTP/1.1", "host: fuzz", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await self._answer()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            self.usable = False
            return 0

    async def _answer(self) -> int:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head.split(" ", 2)[1])
        self.usable = "connection: close" not in head
        if "transfer-encoding: chunked" in head:
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                await self._reader.readexactly(size + 2)
            await self._reader.readexactly(2)
        elif "content-length: " in head:
            length = head.split("content-length: ", 1)[1].split("\r\n", 1)[0]
            await self._reader.readexactly(int(length))
        return status

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
