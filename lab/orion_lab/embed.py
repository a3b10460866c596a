"""`/api/embed`: vectors that depend on the text alone."""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from random import Random
from typing import Any, Final, cast

from orion_lab.board import Board
from orion_lab.calls import find_model, keep_alive
from orion_lab.errors import ApiError
from orion_lab.json_body import Fields
from orion_lab.options import fingerprint

_CHARS_PER_TOKEN: Final = 4


async def embeddings(board: Board, data: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one request; without input it only loads the model.

    Raises:
        ApiError: as the native route answers.
    """
    fields = Fields(data, "EmbedRequest")
    name, texts = fields.text("model"), _texts(data.get("input"))
    try:
        model = find_model(board.models, name)
    except ApiError as error:
        if error.status == 404:
            # This route alone uses the scheduler's spelling.
            raise ApiError(404, f'model "{name}" not found, try pulling it first') from None
        raise
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    wanted = fingerprint(fields.mapping("options"), model)
    runner = await board.scheduler.acquire(model, wanted, keep_alive(data))
    try:
        loaded_s = loop.time()
        if not texts:
            return {"model": name, "embeddings": []}
        async with runner.slots:
            size = int(data.get("dimensions") or model.embedding_length)
            vectors = [_vector(text, size) for text in texts]
    finally:
        board.scheduler.release(runner)
    return {
        "model": name,
        "embeddings": vectors,
        "total_duration": _ns(loop.time() - started_s),
        "load_duration": _ns(loaded_s - started_s),
        "prompt_eval_count": sum(max(1, len(text) // _CHARS_PER_TOKEN) for text in texts),
    }


def _texts(value: object) -> list[str]:
    if value is None or value == "":
        return []
    listed = cast("list[object]", value) if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in listed):
        raise ApiError(400, "invalid input type")
    return [str(each) for each in listed]


def _ns(seconds: float) -> int:
    return max(1, int(seconds * 1e9))


@lru_cache(maxsize=256)
def _vector(text: str, dimensions: int) -> tuple[float, ...]:
    rng = Random(sha256(text.encode()).digest())
    raw = [rng.gauss(0, 1) for _ in range(dimensions)]
    length = sum(value * value for value in raw) ** 0.5
    return tuple(value / length for value in raw)
