"""Two boards with a real Ollama each: what one has on its disk the other one copies."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import orjson
import pytest

from contract_ollama.conftest import real_ollama
from orion_contracts import keys
from orion_contracts.stamp import iso_now
from orion_lab.stores import StoreProcess

if TYPE_CHECKING:
    from .conftest import Bench, WorkerProcess

MODEL = "smollm2:135m"
SECRET = "a secret of sufficient length"
pytestmark = [pytest.mark.real_ollama, pytest.mark.may_block("the test looks at Ollama itself")]


def listed(url: str, path: str = "/api/tags") -> dict[str, str]:
    """Names with their digests."""
    found = httpx.get(url + path, trust_env=False).json()["models"]
    return {each["name"]: each["digest"] for each in found}


def delete(url: str, model: str) -> None:
    """From its disk."""
    httpx.request("DELETE", url + "/api/delete", json={"model": model}, trust_env=False)


def ask(url: str, prompt: str) -> str:
    """A real answer."""
    body = {"model": MODEL, "prompt": prompt, "stream": False, "options": {"num_predict": 8}}
    reply = httpx.post(url + "/api/generate", json=body, timeout=60, trust_env=False)
    return str(reply.json()["response"])


def get(url: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """Status, and how the answer begins."""
    answer = httpx.get(url, headers=headers, trust_env=False)
    return answer.status_code, answer.content[:5]


class Pair:
    """Boards `pi-1` and `pi-2`; only the first has the model."""

    def __init__(self, bench: Bench, stack: ExitStack, folder: Path) -> None:
        self.bench = bench
        self.folders = {n: folder / n / "models" for n in ("pi-1", "pi-2")}
        self.urls = {n: stack.enter_context(real_ollama(f)) for n, f in self.folders.items()}
        self.workers: dict[str, WorkerProcess] = {}
        self._password = folder / "password"
        self._password.write_text(SECRET)

    def start(self, node: str, *flags: str) -> None:
        """A worker of that board; no registry is allowed to any."""
        worker = self.workers[node] = self.bench.worker(
            "--node-id", node, "--ollama-host", self.urls[node], "--health-interval-s", "0.5",
            "--model-registries", "none", "--share-models", "on", "--share-address", "127.0.0.1",
            "--models-dir", str(self.folders[node]), "--redis-password-file", str(self._password),
            *flags,
        )  # fmt: skip
        worker.start()

    async def place(self, *nodes: str) -> None:
        """The model, on these boards."""
        document = {
            "version": "1.0", "generation": 1, "timestamp": iso_now(), "source": "test",
            "models": [{"name": MODEL, "nodes": list(nodes)}],
        }  # fmt: skip
        await self.bench.client.set(keys.CONFIG, orjson.dumps(document))

    async def health(self, node: str) -> dict[str, Any]:
        """Its report."""
        found: Any = await self.bench.client.hgetall(keys.node_health(node))
        return {k.decode(): orjson.loads(v) for k, v in found.items()}

    async def resident(self, node: str, within_s: float = 60.0) -> None:
        """Wait until its keeper has the model in memory."""

        async def there() -> bool:
            keeper = (await self.health(node)).get("keeper", {})
            return bool(keeper.get("resident") == [MODEL])

        await self._until(there, within_s, node)

    async def pull(self, node: str, word: str, within_s: float = 30.0) -> dict[str, Any]:
        """Wait until its report says this of its pull."""
        seen: list[dict[str, Any]] = []

        async def there() -> bool:
            seen[:] = (await self.health(node)).get("pulls", [])
            return word in str(seen)

        await self._until(there, within_s, node)
        return seen[0]

    async def _until(self, look: Callable[[], Any], within_s: float, node: str) -> None:
        with anyio.move_on_after(within_s) as scope:
            while not await look():  # noqa: ASYNC110
                await anyio.sleep(0.05)
        if scope.cancelled_caught:
            pytest.fail(f"not within {within_s} s\n{self.workers[node].log()[-5000:]}")


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[StoreProcess]:
    """A store with a password, which all workers know: it proves that a board is one of ours."""
    with StoreProcess("valkey9", tmp_path / "valkey", password=SECRET) as server:
        yield server


async def test_a_board_copies_what_another_one_has(bench: Bench, tmp_path: Path) -> None:
    """No registry, no network: the same manifest, the same digest, resident and answering; nothing
    of the way that it came stays on the disk."""
    with ExitStack() as stack:
        pair = Pair(bench, stack, tmp_path)
        delete(pair.urls["pi-2"], MODEL)
        assert listed(pair.urls["pi-2"]) == {}
        for node in pair.urls:
            pair.start(node)
        await pair.place("pi-2", "pi-1")
        await pair.resident("pi-2")

        assert listed(pair.urls["pi-2"]) == listed(pair.urls["pi-1"])
        assert "copying" not in str((await pair.health("pi-2"))["pulls"])
        assert "Paris" in ask(pair.urls["pi-2"], "The capital of France is")


async def test_a_copy_that_breaks_off_goes_on_where_it_stopped(
    bench: Bench, tmp_path: Path
) -> None:
    """The giving board is stopped in the middle; when it is back the rest is copied."""
    with ExitStack() as stack:
        pair = Pair(bench, stack, tmp_path)
        delete(pair.urls["pi-2"], MODEL)
        pair.start("pi-1", "--share-mib-per-second", "20")
        pair.start("pi-2", "--pull-silent-s", "3")
        await pair.place("pi-1", "pi-2")

        async def halfway() -> bool:
            pulls: list[dict[str, Any]] = (await pair.health("pi-2")).get("pulls", [])
            return any(pull["completed_bytes"] > 30_000_000 for pull in pulls)

        await bench.until(halfway, 30, "a third is there")
        giver = pair.workers["pi-1"]
        giver.signal(signal.SIGKILL)
        failed = await pair.pull("pi-2", "failed")
        assert "error" in failed
        pair.start("pi-1")
        begun = await pair.pull("pi-2", "copying", 40)
        await pair.resident("pi-2")

        assert begun["source"] == "pi-1"
        assert begun["completed_bytes"] > 15_000_000
        assert listed(pair.urls["pi-2"]) == listed(pair.urls["pi-1"])


async def test_nobody_else_gets_a_model(bench: Bench, tmp_path: Path) -> None:
    """Without the proof, with one of another secret, and by the relay's own paths."""
    with ExitStack() as stack:
        pair = Pair(bench, stack, tmp_path)
        pair.start("pi-1")

        async def shared() -> str:
            return str((await pair.health("pi-1")).get("share_url", ""))

        url = await bench.until(shared, 20, "it says where")
        for path in (f"/share/v1/manifests/{MODEL}", "/share/v1/blobs/sha256:" + "0" * 64):
            for headers in ({}, {"x-orion-proof": "x:y"}):
                assert get(url + path, headers) == (401, b"prove")
        for path in ("/v2/orion-0/m/manifests/latest", "/relay/orion-0/sha256:" + "0" * 64):
            assert get(url + path, {})[0] == 404
