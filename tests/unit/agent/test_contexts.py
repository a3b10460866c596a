"""What a model is loaded with, and what the worker says of it."""

from __future__ import annotations

from typing import Any

import anyio
import orjson
import pytest

from orion_agent.contexts import Load
from orion_agent.engine import Census
from orion_agent.view import EngineView
from orion_contracts import keys, schema
from orion_contracts.health import DiskModel, ResidentModel
from unit.agent.conftest import Rig, make_request

BIG = make_request(options={"num_ctx": 1_000_000})


def seen(view: EngineView, context: int, name: str = "tiny:latest") -> None:
    """A look at the engine that begins and ends now."""
    model = ResidentModel(name=name, digest="d", context_length=context)
    disk = (DiskModel(name="tiny:latest", digest="d"), DiskModel(name="alias:latest", digest="d"))
    view.saw(view.contexts.loads, Census("0.30.0", (model,), disk))


@pytest.mark.parametrize("name", ["tiny:latest", "alias:latest"])
def test_a_context_that_the_engine_cut_is_resident(name: str) -> None:
    """Asked for a million tokens, trained for 8192: loaded once, then warm, as for all that ask
    for more than that; other contexts are still other loads."""
    view = EngineView()
    view.loaded(BIG, Load(1_000_000, 0, 3.0))
    seen(view, 8192, name)

    assert view.is_resident(BIG)
    assert view.is_resident(make_request(options={"num_ctx": 2_000_000}))
    assert view.is_resident(make_request())
    assert not view.is_resident(make_request(options={"num_ctx": 4096}))
    seen(view, 4096, name)
    assert not view.is_resident(BIG)


def test_what_was_asked_before_a_load_ended_says_nothing_about_it() -> None:
    """A list from before a reload shows the context from before."""
    view = EngineView()
    seen(view, 4096)
    before = view.contexts.loads
    view.loaded(BIG, Load(1_000_000, 4096, 3.0))
    old = ResidentModel(name="tiny:latest", context_length=4096)
    view.saw(before, Census("0.30.0", (old,), None))
    assert not view.is_resident(BIG)
    seen(view, 8192)
    assert view.is_resident(BIG)


def test_only_what_was_a_load_teaches_how_long_loads_take() -> None:
    """A model in memory answers "load this" in milliseconds; planners would reckon with that."""
    learnt: list[float] = []
    view = EngineView()
    view.contexts.learn = lambda model, took_s: learnt.append(took_s)
    for before, context, took_s in (
        (0, 8192, 3.0), (8192, 8192, 0.002), (8192, 4096, 2.0), (None, 4096, 0.003),
    ):  # fmt: skip
        view.loaded(BIG, Load(1_000_000, before, took_s))
        seen(view, context)

    assert learnt == [3.0, 2.0]


@pytest.mark.may_block("sensor files and fakeredis")
@pytest.mark.parametrize("num_ctx", [-5, 2**63])
async def test_an_absurd_context_leaves_the_report_valid(rig: Rig, num_ctx: int) -> None:
    """Ollama serves it; a router would drop a report that says it is resident with -5 tokens."""
    rig.engine.context = 4
    request = make_request(model="odd", options={"num_ctx": num_ctx})
    reports: list[dict[str, Any]] = []

    async def warm() -> bool:
        found: Any = await rig.store.hgetall(keys.node_health("pi-1"))
        reports.append({k.decode(): orjson.loads(v) for k, v in found.items()})
        return rig.parts.view.is_resident(request)

    async with rig.running():
        await rig.give(request)
        assert (await rig.final(request))["status"] == "completed"
        with anyio.fail_after(3):
            while not await warm():  # noqa: ASYNC110
                await anyio.sleep(0.005)
        again = make_request(model="odd", options={"num_ctx": num_ctx})
        await rig.give(again)
        assert (await rig.final(again))["residency"] == "warm"
    for report in filter(None, reports):
        schema.check("node-health", report)
    assert rig.engine.loads == 1
