"""The only module that speaks to Ollama: the official client, its failures as our errors.

No read timeout guards a stream: a cold load or a long prompt is silent for minutes. The runner
watches for silence, with budgets that know what the board is doing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, cast

import anyio
import httpx
import orjson
from ollama import AsyncClient

from orion_agent import calls, replies
from orion_agent.engine import Census, Done
from orion_agent.engine_errors import from_status, invalid_call, translate
from orion_agent.outbox import Delta
from orion_agent.transport import WireTransport
from orion_contracts.errors import EngineCrashed
from orion_contracts.messages import InferenceRequest

CONNECT_S, WRITE_S = 5.0, 60.0
POLL_S = 3.0
"""`/api/ps` can block behind a starting runner: it must not hold up the health report."""
PROBE_S = 60.0
DRAIN_S = 1.0


class OllamaEngine:
    """One board's Ollama."""

    def __init__(
        self,
        host: str,
        max_output_tokens: int,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        # trust_env: a proxy from the environment has no business between us and localhost.
        # verify: without https there is no need to load the certificates of the whole world.
        secure = host.startswith("https:")
        if transport is None and not secure:
            transport = WireTransport()
        common: dict[str, Any] = {"trust_env": False, "transport": transport, "verify": secure}
        patient = httpx.Timeout(CONNECT_S, read=None, write=WRITE_S, pool=None)
        self._client = AsyncClient(host, timeout=patient, follow_redirects=False, **common)
        self._plain = httpx.AsyncClient(base_url=host, timeout=patient, **common)
        self._max_output_tokens = max_output_tokens

    async def run(self, request: InferenceRequest) -> AsyncIterator[Delta | Done]:
        """The answer's tokens, then one Done; raises an EngineError for everything else."""
        began, done = False, None
        if request.operation == "embed":
            text, ended = await self._embed(request)
            yield {"content": text}
            yield ended
            return
        try:
            parts = await self._stream(request)
        except (ValueError, TypeError) as error:
            raise invalid_call(error) from error
        try:
            async with aclosing(parts):
                async for part in parts:
                    began = True
                    if (delta := replies.delta(part)) is not None:
                        yield delta
                    if part.get("done"):
                        done = replies.done(part)
                        break
                # To the very end: a connection that is left in mid-answer cannot be used again.
                with anyio.move_on_after(DRAIN_S):
                    async for _ in parts:
                        pass
        except Exception as error:
            raise translate(error, began=began) from error
        if done is None:
            raise EngineCrashed("Ollama's stream ended without `done`")
        yield done

    async def _stream(self, request: InferenceRequest) -> Any:
        chat = request.operation == "chat"
        build = calls.chat if chat else calls.generate
        call = build(request, self._max_output_tokens)
        if calls.needs_plain_json(request):
            return self._lines(calls.path(request), {**call, "stream": True})
        if chat:
            return await self._client.chat(stream=True, **call)
        return await self._client.generate(stream=True, **call)

    async def _lines(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        """What the client would do, without its models."""
        async with self._plain.stream("POST", path, content=orjson.dumps(body)) as answer:
            if answer.status_code != 200:
                raise from_status(answer.status_code, (await answer.aread()).decode())
            async for line in answer.aiter_lines():
                if line:
                    part = cast(dict[str, Any], orjson.loads(line))
                    if error := part.get("error"):
                        raise EngineCrashed(str(error))
                    yield part

    async def _embed(self, request: InferenceRequest) -> tuple[str, Done]:
        try:
            answer = await self._client.embed(**calls.embed(request))
        except Exception as error:
            raise translate(error, began=False) from error
        ended = Done(
            prompt_tokens=answer.prompt_eval_count,
            total_s=(answer.total_duration or 0) / 1e9,
            load_s=(answer.load_duration or 0) / 1e9,
        )
        return orjson.dumps(answer.embeddings).decode(), ended

    async def load(self, request: InferenceRequest, keep_alive_s: int) -> None:
        """An empty request that answers when the model is resident."""
        call = calls.load(request, keep_alive_s)
        try:
            if request.operation == "embed":
                await self._client.embed(**call)
            elif request.operation == "generate":
                await self._client.generate(stream=False, **call)
            else:
                await self._client.chat(stream=False, **call)
        except Exception as error:
            raise translate(error, began=False) from error

    async def census(self, with_disk: bool) -> Census:
        """Version, resident models, and models on disk where asked for."""
        try:
            version = await self._get("/api/version")
            running = await self._get("/api/ps")
            disk = await self._get("/api/tags") if with_disk else None
            return Census(
                str(version.get("version", "")),
                tuple(replies.resident(m) for m in running.get("models") or ()),
                None
                if disk is None
                else tuple(replies.on_disk(m) for m in disk.get("models") or ()),
            )
        except Exception as error:
            raise translate(error, began=False) from error

    async def _get(self, path: str) -> dict[str, Any]:
        # The client's own models drop name, capabilities and more of these answers.
        answer = await self._plain.get(path, timeout=POLL_S)
        if answer.status_code != 200:
            raise from_status(answer.status_code, answer.text)
        return cast(dict[str, Any], orjson.loads(answer.content))

    async def probe(self, model: str) -> None:
        """One token from the model: after an abort Ollama may go on with the old prompt."""
        body = {
            "model": model,
            "prompt": "ok",
            "stream": False,
            "options": {"num_predict": 1},
        }
        try:
            await self._get("/api/version")
            answer = await self._plain.post("/api/generate", json=body, timeout=PROBE_S)
        except Exception as error:
            raise translate(error, began=False) from error
        if answer.status_code >= 500:
            raise from_status(answer.status_code, answer.text)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]
        await self._plain.aclose()
