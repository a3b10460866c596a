"""The model keeper with a real Ollama and a model on its disk; no registry, no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest

from contract_ollama.conftest import real_ollama
from contract_ollama.registry import registry
from orion_contracts import keys
from orion_contracts.stamp import iso_now

if TYPE_CHECKING:
    from .conftest import Bench

MODEL, NODE = "smollm2:135m", "pi-1"
pytestmark = [pytest.mark.real_ollama, pytest.mark.may_block("the test looks at Ollama itself")]


def listed(url: str, path: str) -> dict[str, str]:
    """Names with their expiry."""
    found = httpx.get(url + path, trust_env=False).json()["models"]
    return {each["name"]: each.get("expires_at", "") for each in found}


def pull(url: str, model: str) -> None:
    """As a person would."""
    body = {"model": model, "insecure": True, "stream": False}
    httpx.post(url + "/api/pull", json=body, timeout=60, trust_env=False).raise_for_status()


async def test_placed_it_stays_and_what_left_goes(bench: Bench, tmp_path: Path) -> None:
    """Resident before any request, for years, through a request with a short keep-alive; unloaded
    when it leaves the configuration, and still on disk. What is pulled elsewhere is not touched."""
    with real_ollama(tmp_path / "models") as url, registry() as elsewhere:
        pull(url, elsewhere + "small:latest")
        await bench.up("--ollama-host", url, "--health-interval-s", "0.5",
                       "--model-registries", "none")  # fmt: skip

        async def place(*models: str) -> None:
            document = {
                "version": "1.0", "generation": 1, "timestamp": iso_now(), "source": "test",
                "models": [{"name": m, "nodes": [NODE], "retain": False} for m in models],
            }  # fmt: skip
            await bench.client.set(keys.CONFIG, orjson.dumps(document))

        async def kept() -> bool:
            health = await bench.health()
            return bool(health.get("keeper", {}).get("resident") == [MODEL])

        await place(MODEL)
        await bench.until(kept, 60, "resident")
        request = bench.request(keep_alive_seconds=1)
        await bench.give(request)
        assert (await bench.final(request, 60))["status"] == "completed"
        assert listed(url, "/api/ps")[MODEL] > "2030"

        await place()

        async def gone() -> bool:
            return not listed(url, "/api/ps")

        await bench.until(gone, 30, "unloaded")
        assert len(listed(url, "/api/tags")) == 2
