"""`orion replay`: a trace in the simulator, under several policies."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from orion_cli.problem import USAGE, Problem
from orion_lab.plots.boards import picture
from orion_lab.sim.conditions import Conditions
from orion_lab.traces.asks import Replayable, replayable
from orion_lab.traces.boards import choose
from orion_lab.traces.lines import Trace, read
from orion_lab.traces.replay import policy_name, replay, report

DEFAULT_POLICIES = ("ours", "least connections", "sticky")


@dataclass(frozen=True, slots=True)
class World:
    """What the replay assumes."""

    fleet: str = ""
    placed: bool = False
    prompts_kept: int = 1
    ambient_c: float = 25.0


def run(path: Path, policies: tuple[str, ...], world: World, plot: Path | None, seeds: int) -> int:
    """Print the table; draw the picture where one is asked for."""
    try:
        trace = _read(path)
        names = [policy_name(each) for each in policies or DEFAULT_POLICIES]
        boards, made = choose(world.fleet, trace.head), replayable(trace, path.stem)
    except ValueError as error:
        raise Problem(str(error), "orion replay --help", USAGE) from error
    load = replace(made.workload, ambient_c=world.ambient_c)
    conditions = Conditions(placed=world.placed, prompts_kept=world.prompts_kept)
    numbers = range(1, seeds + 1)
    print(_about(trace, made, [board.name for board in boards.boards]))
    replayed = [replay(boards, load, name, numbers, conditions) for name in names]
    print(report(replayed))
    if plot is not None:
        title = f"{path.name} on {len(boards.boards)} boards"
        try:
            plot.write_text(picture(title, [each.seen for each in replayed]).svg())
        except OSError as error:
            raise Problem(f"{plot} cannot be written: {error.strerror}", "", USAGE) from error
        print(f"wrote {plot}", file=sys.stderr)
    return 0


def _read(path: Path) -> Trace:
    try:
        with path.open() as lines:
            return read(lines)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _about(trace: Trace, made: Replayable, boards: list[str]) -> str:
    asks = made.workload.trace
    lines = [
        f"{len(asks)} requests in {asks[-1].arrived_s / 60:.1f} minutes, "
        f"recorded {trace.head.recorded_at}; simulated on {', '.join(boards)}"
    ]
    if made.left_out:
        lines.append(f"left out: {made.left_out} that did not run to an end")
    lines += [f"{told}: simulated as {used}" for told, used in made.stand_ins.items()]
    return "\n".join(lines)
