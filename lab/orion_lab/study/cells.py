"""A cell of the study: one run, by names alone, so that it can be kept in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

OURS = "ours"


@dataclass(frozen=True, slots=True)
class Group:
    """The cells that are compared with each other: all but the policy and the seed."""

    workload: str
    fleet: str
    placed: bool = False
    prompts_kept: int = 1
    world: str = ""
    """A changed world (`worlds`); empty: the study's own."""

    def __str__(self) -> str:
        start = "models placed" if self.placed else "cold start"
        kept = f", {self.prompts_kept} prompts kept" if self.prompts_kept > 1 else ""
        world = f", {self.world}" if self.world else ""
        return f"{self.workload}, fleet {self.fleet}, {start}{kept}{world}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of one policy."""

    group: Group
    policy: str
    seed: int

    @property
    def key(self) -> str:
        """Its name in the file."""
        group = self.group
        start = "placed" if group.placed else "cold"
        parts = (group.workload, group.fleet, start, group.prompts_kept, group.world)
        return "|".join(str(part) for part in (*parts, self.policy, self.seed))


def cells(groups: Iterable[Group], policies: Sequence[str], seeds: Sequence[int]) -> Iterator[Cell]:
    """Every policy on the same seeds."""
    for group in groups:
        for seed in seeds:
            for policy in policies:
                yield Cell(group, policy, seed)


def in_each_world(groups: Iterable[Group], worlds: Sequence[str]) -> list[Group]:
    """The same groups, changed."""
    return [replace(group, world=world) for group in groups for world in worlds]
