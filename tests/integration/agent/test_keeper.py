"""The model keeper of a real worker process: a real store, a simulated board.

What an operator would write is written by the test.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from orion_contracts import keys, schema
from orion_contracts.stamp import iso_now
from orion_lab.testing import BoardProcess

pytestmark = pytest.mark.models

if TYPE_CHECKING:
    from .conftest import Bench

NODE, MODEL, OTHER, BIG = "pi-1", "smollm2:135m", "qwen2.5:0.5b", "llama3.1:8b"


@pytest.fixture
def spec() -> str:
    """The board's hardware."""
    return "zero"


@pytest.fixture
def on_disk() -> str:
    """What its disk holds at the beginning."""
    return MODEL


@pytest.fixture
def engine_keeps() -> str:
    """How many models its Ollama keeps in memory; 0: as many as such a board's does."""
    return "0"


@pytest.fixture
def board(tmp_path: Path, spec: str, on_disk: str, engine_keeps: str) -> Iterator[BoardProcess]:
    """One whose sensors the worker reads; pulls take about a second."""
    with BoardProcess(
        "--root", str(tmp_path / "root"), "--models", on_disk, "--pull-rate", "4e8",
        "--max-loaded", engine_keeps, boards=(f"board:0:{spec}",),
    ) as process:  # fmt: skip
        yield process


class Keep:
    """A worker under test, and what its keeper reports."""

    def __init__(self, bench: Bench, root: Path) -> None:
        self.bench, self._root = bench, root
        self._generation = 0

    async def up(self, *flags: str) -> None:
        """Start a worker (another one, where one ran before)."""
        place = ("--host-root", str(self._root), "--health-interval-s", "0.5")
        await self.bench.up(*place, *flags)

    async def place(self, *models: str | dict[str, Any], **more: Any) -> None:
        """Write the configuration: these models on this board."""
        self._generation += 1
        named = [{"name": m} if isinstance(m, str) else m for m in models]
        document = {
            "version": "1.0", "generation": self._generation, "timestamp": iso_now(),
            "source": "test", "models": [{"nodes": [NODE], **m} for m in named], **more,
        }  # fmt: skip
        schema.check("config", document)
        await self.bench.client.set(keys.CONFIG, orjson.dumps(document))

    async def health(self) -> dict[str, Any]:
        """The report; `keeper` and `pulls` are there."""
        found = await self.bench.health()
        schema.check("node-health", found)
        return {"keeper": {"resident": [], "failed": {}}, "pulls": [], **found}

    async def until(
        self, test: Callable[[dict[str, Any]], Any], what: str, within_s: float = 20.0
    ) -> dict[str, Any]:
        """Poll the report."""
        seen: dict[str, Any] = {}

        async def look() -> bool:
            seen.clear()
            seen.update(await self.health())
            return bool(test(seen))

        await self._until(look, within_s, what)
        return seen

    async def _until(self, look: Callable[[], Awaitable[Any]], within_s: float, what: str) -> None:
        import anyio

        with anyio.move_on_after(within_s) as scope:
            while not await look():  # noqa: ASYNC110
                await anyio.sleep(0.02)
        if scope.cancelled_caught:
            log = self.bench.workers[-1].log()[-3000:]
            pytest.fail(f"not within {within_s} s: {what}\n{await self.health()}\n{log}")

    async def resident(self, *models: str, within_s: float = 20.0) -> dict[str, Any]:
        """Wait until the keeper reports exactly these in memory, and the board agrees."""
        wanted = list(models)
        seen = await self.until(
            lambda h: h["keeper"]["resident"] == wanted, f"resident {models}", within_s
        )
        assert set(models) <= set(self.stats()["loaded"])
        return seen

    async def failed(self, model: str, word: str, within_s: float = 20.0) -> str:
        """Wait until it is said why a model is not kept."""
        seen = await self.until(
            lambda h: word in h["keeper"]["failed"].get(model, ""), f"{model}: {word}", within_s
        )
        return str(seen["keeper"]["failed"][model])

    async def turns(self) -> None:
        """Let the keeper look at the board at least twice."""
        began = (await self.health())["seq"]
        await self.until(lambda h: h["seq"] >= began + 11, "eleven more reports of 0.5 s")

    def stats(self) -> dict[str, Any]:
        """The board's own counters."""
        return self.bench.board.stats()

    def running(self) -> dict[str, dict[str, Any]]:
        """What the board's Ollama lists."""
        found = httpx.get(f"{self.bench.board.url}/api/ps", trust_env=False).json()["models"]
        return {each["name"]: each for each in found}


@pytest.fixture
async def keep(bench: Bench, tmp_path: Path) -> Keep:
    """Everything but the worker."""
    return Keep(bench, tmp_path / "root" / "board")


async def test_a_model_on_disk_becomes_resident_without_a_registry(keep: Keep) -> None:
    """Placed, loaded before any request, kept for as long as it is placed; nothing is pulled."""
    await keep.up("--model-registries", "none")
    await keep.place(MODEL)
    seen = await keep.resident(MODEL)

    assert seen["keeper"] == {"assigned": [MODEL], "resident": [MODEL], "failed": {}}
    assert seen["pulls"] == []
    assert keep.running()[MODEL]["expires_at"] > "2030"
    assert keep.stats()["pulled"] == 0


async def test_a_missing_model_is_pulled_with_progress_and_loaded(keep: Keep) -> None:
    """The report shows how far it is; afterwards it is on disk and in memory."""
    await keep.up()
    await keep.place(OTHER)
    part = await keep.until(
        lambda h: [p for p in h["pulls"] if 0 < p["completed_bytes"] < p["total_bytes"]],
        "a pull half done",
    )
    seen = await keep.resident(OTHER)

    (pull,) = part["pulls"]
    assert (pull["model"], pull["state"], pull["source"]) == (OTHER, "pulling", "registry")
    assert seen["pulls"] == []
    assert keep.stats()["pulled"] == 1


async def test_a_model_that_left_is_unloaded_and_stays_on_disk(keep: Keep) -> None:
    """What others loaded stays as it was."""
    await keep.up()
    await keep.place(MODEL)
    await keep.resident(MODEL)
    await keep.place()
    await keep.until(lambda h: not h["resident"], "unloaded")

    assert MODEL in keep.stats()["disk"]

    async def forgotten() -> bool:
        return await keep.bench.client.exists(keys.kept(NODE)) == 0

    await keep.bench.until(forgotten, 10, "the keeper's book is empty")


async def test_a_model_that_left_while_the_worker_was_away_is_unloaded(keep: Keep) -> None:
    """The next life reads in the store what the last one kept."""
    await keep.up()
    await keep.place(MODEL)
    await keep.resident(MODEL)
    first = keep.bench.workers[-1]
    first.signal(signal.SIGTERM)
    await first.exit_code(10)
    assert keep.stats()["loaded"] == [MODEL]
    await keep.place()
    await keep.up()
    await keep.until(lambda h: h["models"] and not h["resident"], "unloaded")


async def test_without_a_configuration_everything_stays(keep: Keep) -> None:
    """An empty store is no order to empty the boards."""
    await keep.up()
    await keep.place(MODEL)
    await keep.resident(MODEL)
    await keep.bench.client.delete(keys.CONFIG)
    await keep.turns()

    assert keep.stats()["loaded"] == [MODEL]
    assert keep.stats()["unload_only"] == 0


@pytest.mark.parametrize(("spec", "on_disk"), [("pi-4gb", f"{MODEL},{BIG}")])
async def test_what_does_not_fit_in_memory_is_said_with_the_arithmetic(keep: Keep) -> None:
    """It is not even tried, and the others are kept."""
    await keep.up()
    await keep.place(BIG, MODEL)
    why = await keep.failed(BIG, "of memory")
    await keep.resident(MODEL)

    assert "needs 5.3 GiB of memory (file 4.6 GiB + 0.8 GiB for 4096 tokens of context)" in why
    assert "of 3.9 GiB are available, 0.6 GiB of them stay free (85 %" in why
    assert keep.stats()["models"].get(BIG, {}).get("cold_loads", 0) == 0


async def test_a_full_disk_is_said_with_the_arithmetic(keep: Keep) -> None:
    """Before a byte is fetched."""
    await keep.up("--disk-reserve-mib", "900000000")
    await keep.place(OTHER)
    why = await keep.failed(OTHER, "of disk")
    (pull,) = (await keep.health())["pulls"]

    assert why.endswith("GiB of disk are free, 878906.2 GiB of them stay free")
    assert pull == {
        "model": OTHER, "state": "failed", "error": why, "completed_bytes": 0, "total_bytes": 0,
    }  # fmt: skip
    assert keep.stats()["pulled"] == 0


async def test_only_the_configured_registries_are_asked(keep: Keep) -> None:
    """Another host, a cloud model, and none at all."""
    await keep.up()
    await keep.place("example.org/space/model:1b", "gpt-oss:120b-cloud")
    await keep.failed("example.org/space/model:1b", "example.org is no registry")
    await keep.failed("gpt-oss:120b-cloud", "cloud model")


async def test_a_pull_that_fails_is_told_and_tried_again(keep: Keep) -> None:
    """In the registry's words."""
    keep.bench.board.set_fault(pull_error="pull model manifest: 503: try later")
    await keep.up()
    await keep.place(OTHER)
    await keep.failed(OTHER, "503: try later")
    keep.bench.board.clear_faults()
    await keep.resident(OTHER, within_s=30)


async def test_a_stalled_pull_is_noticed_and_goes_on_where_it_stopped(keep: Keep) -> None:
    """Ollama would wait for ever."""
    keep.bench.board.set_fault(pull_stall_at=0.5)
    await keep.up("--pull-silent-s", "1")
    await keep.place(OTHER)
    why = await keep.failed(OTHER, "nothing came for 1 s")
    keep.bench.board.clear_faults()
    await keep.resident(OTHER, within_s=30)

    assert "(0.2 GiB of 0.4 GiB are here)" in why


async def test_a_pull_of_what_left_ends(keep: Keep) -> None:
    """The line is free for something else at once."""
    keep.bench.board.set_fault(pull_stall_at=0.5)
    await keep.up()
    await keep.place(OTHER)
    await keep.until(lambda h: h["pulls"] and h["pulls"][0].get("total_bytes"), "a pull")
    await keep.place()
    await keep.until(lambda h: not h["pulls"], "no pull")

    assert OTHER not in keep.stats()["disk"]


async def test_a_request_does_not_shorten_the_stay_nor_change_the_context(keep: Keep) -> None:
    """A placed model outlives the keep-alive of a request, and runs with its own context."""
    await keep.up()
    await keep.place({"name": MODEL, "context_length": 2048})
    await keep.resident(MODEL)
    request = keep.bench.request(keep_alive_seconds=0)
    await keep.bench.give(request)
    assert (await keep.bench.final(request))["status"] == "completed"

    (seen,) = keep.running().values()
    assert seen["context_length"] == 2048
    assert seen["expires_at"] > "2030"
    assert keep.stats()["models"][MODEL]["cold_loads"] == 1


@pytest.mark.parametrize(("spec", "on_disk"), [("pi-8gb-nvme", f"{MODEL},{OTHER}")])
async def test_no_model_is_loaded_over_a_running_request(keep: Keep) -> None:
    """The board keeps one model at a time: it is the request's until the request ends."""
    keep.bench.board.set_fault(token_delay_ms=300)
    await keep.up("--max-loaded-models", "1")
    request = keep.bench.request()
    await keep.bench.give(request)
    await keep.bench.in_state(request, "RUNNING")
    await keep.place(OTHER)
    await keep.until(lambda h: OTHER in h["keeper"].get("assigned", ()), "the assignment is known")
    final = await keep.bench.final(request)

    assert final["status"] == "completed"
    assert keep.stats()["loaded"] == [MODEL]
    assert OTHER not in keep.stats()["models"]


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("spec", "on_disk"), [("pi-8gb-nvme", "mistral:7b,llama3.2:3b")])
@pytest.mark.parametrize("engine_keeps", ["2"])
async def test_a_placed_model_makes_room_for_a_request_that_needs_its_memory(keep: Keep) -> None:
    """The engine looks at no memory: without that the kernel would end one of the two."""
    await keep.up("--max-loaded-models", "2")
    await keep.place("mistral:7b")
    await keep.resident("mistral:7b", within_s=60)
    request = keep.bench.request(model="llama3.2:3b", options={"num_predict": 2})
    await keep.bench.give(request)
    final = await keep.bench.final(request, 60)

    assert final["status"] == "completed"
    assert keep.stats()["loaded"] == ["llama3.2:3b"]
    assert "leaves memory: a request needs llama3.2:3b" in keep.bench.workers[-1].log()


async def test_after_a_restart_of_the_engine_the_model_is_loaded_again(keep: Keep) -> None:
    """Without a request asking for it."""
    await keep.up()
    await keep.place(MODEL)
    await keep.resident(MODEL)
    keep.bench.board.kill()
    await keep.bench.engine_says("reachable", False)
    keep.bench.board.start()
    await keep.resident(MODEL)


async def test_a_draining_board_gets_no_models_and_its_slots_are_the_configurations(
    keep: Keep,
) -> None:
    """Drained by the configuration, it keeps what it has and begins nothing."""
    await keep.up()
    nodes = {NODE: {"drain": "cordoned", "slots": 3}}
    await keep.place(OTHER, nodes=nodes)
    await keep.until(lambda h: h["slots"] == 3, "slots of the configuration")
    await keep.turns()
    assert keep.stats()["pulled"] == 0
    await keep.place(OTHER)
    await keep.resident(OTHER)
    assert keep.stats()["pulled"] == 1
