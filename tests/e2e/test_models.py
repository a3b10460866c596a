"""Models are placed as the resource says: resident where planned, unloaded when they leave."""

from __future__ import annotations

import re

import pytest

from e2e.boards import SecondBoard
from e2e.kube import Kube, until
from e2e.resources import NAME, apply, says
from e2e.world import MODEL, World

GIANT = "llama3.1:405b"
FIGURE = r"([\d.]+) GiB"


def resident(kube: Kube) -> set[str]:
    """Boards that hold the model, after the resource's status."""
    nodes = kube.get(f"icl/{NAME}").get("status", {}).get("nodes", [])
    return {n["name"] for n in nodes if MODEL in n.get("resident", [])}


def test_added_and_removed(kube: Kube, second: SecondBoard) -> None:
    """On both boards when both classes are named, on neither when it left the resource."""
    apply(kube, models=[{"name": MODEL, "placement": {"classes": ["16gb", "8gb"]}}])
    until(lambda: second.board in resident(kube) and len(resident(kube)) == 2, 90, "on both")
    says(kube, "ModelsPlaced", "True", 60)
    apply(kube, models=[{"name": MODEL, "placement": {"nodes": [second.board]}}])
    until(lambda: resident(kube) == {second.board}, 90, "only on the named board")
    apply(kube, models=[])
    until(lambda: not resident(kube), 90, "on neither")


def test_a_model_that_fits_nowhere(kube: Kube, world: World, second: SecondBoard) -> None:
    """ModelsPlaced=False, DoesNotFit: the message says what the model needs and what each board
    has, the largest one too, in figures that add up; nobody tries to fetch it."""
    apply(kube, models=[{"name": GIANT, "placement": {"replicas": 1}}])
    found = says(kube, "ModelsPlaced", "False", 60)
    message = found["message"]
    assert found["reason"] == "DoesNotFit"
    assert message.startswith(f"{GIANT}: on 0 of 1 boards; needs "), message
    needs = re.search(
        rf"needs {FIGURE} \(file {FIGURE} by its name \+ {FIGURE} for \d+ tokens of context\)",
        message,
    )
    assert needs, message
    total_gib, file_gib, context_gib = (float(each) for each in needs.groups())
    assert total_gib == pytest.approx(file_gib + context_gib, abs=0.11)  # each one is rounded
    rooms = {
        found[1]: [float(figure) for figure in found.groups()[1:]]
        for found in re.finditer(
            rf"(\S+) has room for {FIGURE} \(85% of {FIGURE} - {FIGURE} system\)", message
        )
    }
    assert rooms.keys() == {world.node, second.board}, message
    for free_gib, memory_gib, system_gib in rooms.values():
        assert free_gib == pytest.approx(0.85 * memory_gib - system_gib, abs=0.16)
    assert rooms[world.node][1] > rooms[second.board][1]
    assert total_gib > max(free_gib for free_gib, *_ in rooms.values()) > 0
    (row,) = kube.get(f"icl/{NAME}")["status"]["models"]
    assert (row["wanted"], row["resident"], row.get("pulling", "")) == (1, 0, "")
    assert "has room for" in row["message"]
