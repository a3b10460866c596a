"""Models are placed as the resource says: resident where planned, unloaded when they leave."""

from __future__ import annotations

from e2e.boards import SecondBoard
from e2e.kube import Kube, until
from e2e.resources import NAME, apply, says
from e2e.world import MODEL


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


def test_a_model_that_fits_nowhere(kube: Kube, second: SecondBoard) -> None:
    """ModelsPlaced=False, with the arithmetic in the message."""
    assert second.board
    apply(kube, models=[{"name": MODEL, "contextLength": 131072, "placement": {"replicas": 9}}])
    message = says(kube, "ModelsPlaced", "False", 60)["message"]
    assert MODEL in message
    assert any(character.isdigit() for character in message), message
