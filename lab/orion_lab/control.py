"""The laboratory's own routes on a board: evidence and faults, under `/_lab/`."""

from dataclasses import asdict

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orion_lab.board import Board


def routes(board: Board) -> list[BaseRoute]:
    """`GET /_lab/stats`, and `GET`, `POST`, `DELETE /_lab/faults`."""

    async def stats(request: Request) -> Response:
        loaded = [runner.model.name for runner in board.scheduler.runners.values()]
        reading = asdict(board.reading())
        disk = {"disk": sorted(board.models), "pulled": board.depot.pulled}
        about = {"board": board.settings.name, "engine": board.engine.name, "loaded": loaded}
        return JSONResponse(
            {**about, **disk, **board.stats.as_json(), **board.engine.counted(), "reading": reading}
        )

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            board.faults.reset()
        elif request.method == "POST":
            try:
                board.faults.set(orjson.loads(await request.body()))
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(board.faults.as_json())

    return [
        Route("/_lab/stats", stats),
        Route("/_lab/faults", faults, methods=["GET", "POST", "DELETE"]),
    ]
