"""The keeper's smaller parts: names, tries, seats, book, terms, usage, one pull."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import anyio
import fakeredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_agent import keeper_book, keeper_names
from orion_agent.keeper_depot import Progress
from orion_agent.keeper_facts import FOREVER_S, Facts, Kept
from orion_agent.keeper_names import canonical
from orion_agent.keeper_pull import NoRoom, Pull
from orion_agent.keeper_report import tell
from orion_agent.keeper_seats import Seats
from orion_agent.keeper_terms import on_terms
from orion_agent.keeper_tries import LONGEST_PAUSE_S, SPREAD, Tries
from orion_agent.keeper_usage import Usage
from orion_contracts import keys
from orion_contracts.config import ClusterConfig, ModelConfig
from orion_contracts.errors import EngineCrashed, EngineError, EngineStalled
from orion_contracts.health import DiskModel, ResidentModel
from orion_contracts.messages import InferenceRequest

GB = 10**9
OURS = ("registry.ollama.ai",)


class Clock:
    """Moved by the test."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """Now."""
        return self.now_s


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llama3.2:3b", "llama3.2:3b"), ("llama3.2", "llama3.2:latest"),
        ("library/llama3.2", "llama3.2:latest"), ("me/llama3.2:x", "me/llama3.2:x"),
        ("registry.ollama.ai/library/a:1", "a:1"), ("registry.ollama.ai/me/a:1", "me/a:1"),
        ("hf.co/library/a:1", "hf.co/library/a:1"),
    ],
)  # fmt: skip
def test_names_as_ollama_lists_them(name: str, expected: str) -> None:
    """With a tag, without what is Ollama's own."""
    assert canonical(name) == expected


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("llama3.2:3b", ""), ("me/model", ""), ("registry.ollama.ai/me/model", ""),
        ("hf.co/me/model:Q4", "hf.co is no registry"), ("http://x/y", "use letters"),
        ("a/b/c/d", "no name of a model"), ("a//b", "no name of a model"),
        ("localhost:5000/me/model", "use letters"), ("model:120b-cloud", "cloud model"),
        ("model:cloud", "cloud model"), ("169.254.169.254/a/b", "is no registry"),
        ("../../etc/passwd", "use letters"),
    ],
)  # fmt: skip
def test_what_may_be_fetched(name: str, word: str) -> None:
    """By the rules of the contract, from the registries that are allowed, and no cloud's."""
    found = keeper_names.problem(name, OURS)

    assert word in found
    assert bool(found) is bool(word)


def test_no_registry_at_all_says_so() -> None:
    """`--model-registries none`."""
    assert "--model-registries: none" in keeper_names.problem("a", ())
    assert keeper_names.problem("hf.co/me/model", ("hf.co",)) == ""


# --- tries -------------------------------------------------------------------------------------


def test_tries_wait_longer_each_time_up_to_a_limit() -> None:
    """Ten seconds, twice as long each time, at most ten minutes; spread."""
    clock = Clock()
    tries = Tries(clock, seed=1)
    pauses = [tries.failed("fetch", "a", f"no {n}") for n in range(12)]

    for pause_s, base_s in zip(pauses, [10, 20, 40, 80, 160, 320, *[600] * 6], strict=True):
        assert base_s <= pause_s <= base_s * (1 + SPREAD)
    assert tries.held == {("fetch", "a"): "no 11"}
    clock.now_s += LONGEST_PAUSE_S * (1 + SPREAD)
    assert tries.held == {}
    tries.failed("fetch", "a", "again")
    tries.keep(["b"])
    assert tries.failed("fetch", "a", "anew") < 20


def test_a_good_try_ends_it() -> None:
    """The next failure begins at the beginning."""
    tries = Tries(Clock())
    tries.failed("memory", "a", "x")
    tries.worked("memory", "a")
    assert tries.held == {}


# --- seats -------------------------------------------------------------------------------------


def test_seats_are_learned_from_what_had_to_leave() -> None:
    """And forgotten when more are seen; what was told is believed."""
    seats = Seats()
    seats.see(["a"])
    assert (seats.most, seats.seen) == (None, 1)
    seats.loaded(["a"], ["b"])
    assert (seats.most, seats.seen) == (1, 1)
    seats.see(["a", "b"])
    assert (seats.most, seats.seen) == (None, 2)
    seats.loaded([], ["a", "b"])
    assert seats.most is None
    told = Seats(2)
    told.loaded(["a"], ["b"])
    told.see(["a", "b", "c"])
    assert told.most == 2


# --- the book ----------------------------------------------------------------------------------


def placed(*models: ModelConfig, **more: object) -> Facts:
    """Facts with these models assigned."""
    return replace(Facts(now_s=0, wall_s=0, assigned=models), **more)  # type: ignore[arg-type]


def test_the_book_remembers_what_is_placed_and_what_is_not_gone_yet() -> None:
    """Retain as last said, the digest of a pull for as long as it lasts."""
    first = keeper_book.after(placed(ModelConfig(name="a", retain=False)))
    assert first == {"a:latest": Kept(False, "")}
    ours = {"a:latest": Kept(False, "d1")}
    disk = {"a:latest": DiskModel(name="a:latest", digest="d1")}
    memory = {"a:latest": ResidentModel(name="a:latest", digest="d1")}
    again = placed(ModelConfig(name="a", retain=True), kept=ours)

    assert keeper_book.after(again) == {"a:latest": Kept(True, "d1")}
    assert keeper_book.after(placed(kept=ours, disk=disk)) == ours
    assert keeper_book.after(placed(kept=ours, disk={})) == {}
    assert keeper_book.after(placed(kept={"a:latest": Kept(True, "d1")}, disk=disk)) == {}
    seeded = {"a:latest": Kept(False, "")}
    assert keeper_book.after(placed(kept=seeded, disk=disk)) == {}
    assert keeper_book.after(placed(kept=seeded, disk=disk, resident=memory)) == seeded


@pytest.mark.may_block("fakeredis reads its list of commands")
async def test_the_book_outlives_the_worker_and_strange_entries() -> None:
    """Written where something changed, read by the next life."""
    async with fakeredis.FakeAsyncRedis() as store:
        book = keeper_book.Book(store, "pi-1")
        book.kept = {"a:1": Kept(False, "d"), "b:1": Kept()}
        await book.write()
        del book.kept["b:1"]
        await book.write()
        await store.hset(keys.kept("pi-1"), "c:1", "not json")
        later = keeper_book.Book(store, "pi-1")
        await later.read_once()
        book.kept = {}
        await later.read_once()

    assert later.kept == {"a:1": Kept(False, "d")}


# --- terms and usage ---------------------------------------------------------------------------


def asked(**more: object) -> InferenceRequest:
    """A request for `m`."""
    base = InferenceRequest(
        request_id="r", model="m", messages=(), timestamp="", source="test", keep_alive_seconds=9
    )
    return replace(base, **more)  # type: ignore[arg-type]


def test_the_configuration_says_how_long_and_with_which_context() -> None:
    """The longer stay where it is placed here, the larger context everywhere."""
    config = ClusterConfig(models=(ModelConfig(name="m", nodes=("here",), context_length=2048),))
    finite = ClusterConfig(models=(ModelConfig(name="m:latest", nodes=("here",),
                                               keep_alive_seconds=60),))  # fmt: skip

    assert on_terms(asked(), ClusterConfig(), "here") == asked()
    here = on_terms(asked(options={"seed": 1}), config, "here")
    assert (here.keep_alive_seconds, here.options) == (FOREVER_S, {"seed": 1, "num_ctx": 2048})
    there = on_terms(asked(options={"num_ctx": 1024}), config, "there")
    assert (there.keep_alive_seconds, there.options) == (9, {"num_ctx": 2048})
    assert on_terms(asked(options={"num_ctx": 4096}), config, "x").options == {"num_ctx": 4096}
    assert on_terms(asked(), finite, "here").keep_alive_seconds == 60
    assert on_terms(asked(keep_alive_seconds=900), finite, "here").keep_alive_seconds == 900


def test_usage_counts_requests_and_the_time_since() -> None:
    """By canonical name."""
    clock = Clock()
    usage = Usage(clock)
    with usage.of("m"), usage.of("m:latest"):
        assert usage.busy == {"m:latest"}
        clock.now_s += 5
        assert usage.quiet_s == 0
    clock.now_s += 7
    assert (usage.busy, usage.quiet_s, usage.used_s) == (frozenset(), 7.0, {"m:latest": 1005.0})


# --- one pull ----------------------------------------------------------------------------------


class Script:
    """A depot whose pull plays these lines; a number waits for as long."""

    def __init__(self, *lines: Progress | float | EngineError) -> None:
        self.lines, self.left = lines, False

    async def pull(self, model: str, insecure: bool = False) -> AsyncGenerator[Progress]:
        """Play."""
        try:
            for line in self.lines:
                if isinstance(line, EngineError):
                    raise line
                if isinstance(line, Progress):
                    yield line
                else:
                    await anyio.sleep(line)
        except anyio.get_cancelled_exc_class():
            self.left = True
            raise

    async def copy(self, source: str, destination: str) -> None:
        """Not used."""

    async def delete(self, model: str) -> None:
        """Not used."""

    async def unload(self, model: str) -> None:
        """Not used."""

    async def aclose(self) -> None:
        """Nothing to close."""


def part(done: int, total: int = 4 * GB, digest: str = "sha256:a") -> Progress:
    """A line of progress."""
    return Progress("pulling aaaa", digest, done, total)


async def pulled(script: Script, free: int | None = 100 * GB, silent_s: float = 0.1) -> Pull:
    """Run one pull to its end."""
    pull = Pull(script, "m", lambda: free, 2 * GB, silent_s)
    await pull.run()
    return pull


async def test_a_pull_adds_its_files_up() -> None:
    """Each file by its last line."""
    pull = await pulled(
        Script(Progress("pulling manifest"), part(GB), part(4 * GB), part(5, 5, "sha256:b"),
               Progress("verifying sha256 digest"), Progress("success"))
    )  # fmt: skip
    assert (pull.completed_bytes, pull.total_bytes) == (4 * GB + 5, 4 * GB + 5)
    assert pull.state == "verifying"


async def test_a_pull_that_repeats_itself_is_silent() -> None:
    """Ollama reports a stalled part every 60 ms."""
    stuck: list[Progress | float] = [item for _ in range(40) for item in (part(GB), 0.02)]
    script = Script(*stuck)
    with pytest.raises(EngineStalled, match=r"nothing came for 0 s \(0.9 GiB of 3.7 GiB are here"):
        await pulled(script)
    assert script.left


async def test_verifying_a_large_file_may_be_silent_for_longer() -> None:
    """As long as reading it from a worn card takes."""
    done: list[Progress | float] = [
        part(4 * GB),
        Progress("verifying sha256 digest"),
        0.4,
        Progress("success"),
    ]
    assert (await pulled(Script(*done))).state == "verifying"


async def test_a_pull_ends_when_the_disk_is_too_small_for_a_file() -> None:
    """At the first line that says how large it is; what is here already is not counted."""
    script = Script(part(0), 5.0)
    with pytest.raises(NoRoom, match=r"needs 3\.7 GiB more of disk; 4\.7 GiB of disk"):
        await pulled(script, free=5 * GB)
    resumed = await pulled(Script(part(2 * GB), part(4 * GB)), free=5 * GB)
    assert resumed.total_bytes == 4 * GB


async def test_the_engines_error_is_the_pulls() -> None:
    """In its words."""
    with pytest.raises(EngineCrashed, match="file does not exist"):
        await pulled(Script(Progress("pulling manifest"), EngineCrashed("file does not exist")))


@given(st.integers(0, 10**10), st.integers(1, 10**10))
def test_progress_is_told_in_steps_of_a_percent(done: int, total: int) -> None:
    """Never more than there is; the end is told as it is."""
    done = min(done, total)
    pull = Pull(Script(), "m", lambda: None, 0)
    pull._files["x"] = (done, total)  # pyright: ignore[reportPrivateUsage]
    (entry,) = tell(placed(ModelConfig(name="m")), {}, pull, "m:latest").pulls

    assert done - total / 100 - 1 <= entry["completed_bytes"] <= done
    assert (entry["completed_bytes"] == total) == (done == total)
