"""The floor: what a streaming proxy costs that does nothing else. One process, boards in turn.

    python floor.py PORT BOARD_PORT...

Runs in the environment of the peers (aiohttp is no dependency of the product).
"""

from __future__ import annotations

import importlib
import itertools
import sys
from typing import Any

aiohttp: Any = importlib.import_module("aiohttp")
web: Any = importlib.import_module("aiohttp.web")


def application(boards: list[int]) -> Any:
    """The proxy."""
    turn = itertools.cycle(f"http://127.0.0.1:{port}" for port in boards)
    app = web.Application()

    async def session(_: Any) -> Any:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as made:
            app["session"] = made
            yield

    async def forward(request: Any) -> Any:
        body, url = await request.read(), next(turn) + request.path
        async with app["session"].post(url, data=body) as answer:
            reply = web.StreamResponse(
                status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]}
            )
            await reply.prepare(request)
            async for part in answer.content.iter_any():
                await reply.write(part)
            await reply.write_eof()
            return reply

    app.cleanup_ctx.append(session)
    app.router.add_post("/api/chat", forward)
    return app


if __name__ == "__main__":
    uvloop: Any = importlib.import_module("uvloop")
    uvloop.install()
    port, *boards = map(int, sys.argv[1:])
    web.run_app(application(boards), host="127.0.0.1", port=port, print=None, access_log=None)
