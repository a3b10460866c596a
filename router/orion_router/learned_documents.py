"""Which of what the planner learned is kept in the store, and under which names (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from orion_router.learned_store import Document
from orion_router.learning.learner import Learner


def documents(learner: Learner, boards: Iterable[str]) -> Mapping[str, Document]:
    """Lengths of answers, how conversations go on; per board its rates, and how many prompts it
    keeps. Not what is cached where: that is gone with the model anyway, and wrong after a
    restart."""
    found = {
        "outputs": Document(learner.outputs.dump, learner.outputs.load),
        "returns": Document(learner.returns.dump, learner.returns.load),
    }
    for name in boards:
        rates, prompts = learner.rates, learner.prompts
        found[f"rates:{name}"] = Document(partial(rates.dump, name), partial(rates.load, name))
        found[f"prompts:{name}"] = Document(
            partial(prompts.rooms, name), partial(prompts.load_rooms, name)
        )
    return found
