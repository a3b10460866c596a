"""Asks another board for a manifest or a part of a file, with the proof that it wants."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx

from orion_agent.sharing_door import CHALLENGE, PROOF, prove
from orion_agent.sharing_folder import MOST_MANIFEST_BYTES, Manifest, Missing, read_manifest
from orion_agent.sharing_serve import BLOBS, MANIFESTS
from orion_contracts.errors import EngineError

TIMEOUT = httpx.Timeout(30.0, connect=5.0)


class CopyFailed(EngineError):
    """The other board did not give it; the text says why."""

    code = "copy_failed"


class Fetcher:
    """One other board."""

    def __init__(
        self, url: str, key: bytes, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._url, self._key = url, key
        self._nonce = ""
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT, trust_env=False, verify=False, transport=transport
        )

    async def manifest(self, name: str, digest: str) -> Manifest:
        """The model's manifest, checked against its digest. Raises CopyFailed."""
        async with self.get(MANIFESTS + name) as answer:  # a checked name: nothing to escape
            raw = b""
            async for part in answer.aiter_bytes():
                raw += part
                if len(raw) > MOST_MANIFEST_BYTES:
                    raise CopyFailed(f"{self._url} sends no manifest of {name}")
        try:
            manifest = read_manifest(raw)
        except Missing as error:
            raise CopyFailed(f"{self._url}: {error}") from error
        if manifest.digest != digest.removeprefix("sha256:"):
            raise CopyFailed(f"{self._url} has another {name} than it reports; asking again later")
        return manifest

    def blob(self, digest: str, span: str) -> AbstractAsyncContextManager[httpx.Response]:
        """A file, or the part that the Range header says."""
        return self.get(BLOBS + digest, span)

    @asynccontextmanager
    async def get(self, path: str, span: str = "") -> AsyncGenerator[httpx.Response]:
        """A good answer, its body not yet read. Raises CopyFailed."""
        try:
            for last in (False, True):
                headers = {PROOF: prove(self._key, self._nonce, "GET", path, span)}
                if span:
                    headers["range"] = span
                async with self._client.stream("GET", self._url + path, headers=headers) as answer:
                    if answer.status_code == 401 and not last:
                        self._nonce = answer.headers.get(CHALLENGE, "")
                        continue
                    if answer.status_code not in (200, 206):
                        text = (await answer.aread()).decode(errors="replace")[:200]
                        raise CopyFailed(f"{self._url} answered {answer.status_code}: {text}")
                    yield answer
                    return
        except httpx.HTTPError as error:
            raise CopyFailed(f"{self._url}: {str(error) or type(error).__name__}") from error

    async def aclose(self) -> None:
        """Hang up."""
        await self._client.aclose()
