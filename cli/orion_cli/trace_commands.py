"""The subcommands about traces; each imports what it needs only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orion_cli.options import Password, PasswordFile, RedisAddr


def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The trace to write.")],
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Stop after so long [default: Ctrl-C stops].")
    ] = None,
    with_prompts: Annotated[
        bool, typer.Option("--with-prompts", help="Keep the requests' texts, too.")
    ] = False,
    redis_addr: RedisAddr = "",
    redis_password: Password = "",
    redis_password_file: PasswordFile = "",
) -> None:
    """Write down what a running system is asked: a line of JSON for each finished request.

    Lengths, times, models, boards and hashes; sources, sessions and prompts only as pseudonyms
    that mean nothing outside this file. Nothing of a prompt or an answer is kept, unless
    --with-prompts asks for it. Requests that began before the recording are left out.

    \b
    Examples:
      orion record monday.jsonl --minutes 60
      orion replay monday.jsonl --policy ours --policy least-connections
    """
    from orion_cli import record as command
    from orion_cli.state import find_store

    where = find_store(redis_addr, redis_password, redis_password_file)
    raise typer.Exit(command.run(file, where, minutes, with_prompts))


def replay(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A file of orion record.")],
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="NAME", help="Repeat it [default: ours and two peers]."),
    ] = None,
    fleet: Annotated[
        str,
        typer.Option(metavar="a|b|c|FILE", help="Default: boards like those of the recording."),
    ] = "",
    plot: Annotated[
        Path | None, typer.Option(metavar="OUT.svg", help="Draw what the boards went through.")
    ] = None,
    placed: Annotated[
        bool, typer.Option("--placed", help="Models are in memory before it begins.")
    ] = False,
    prompts_kept: Annotated[
        int, typer.Option(min=1, help="Prompts that an engine keeps for each loaded model.")
    ] = 1,
    ambient: Annotated[
        float, typer.Option(min=-30, max=60, help="Temperature around the boards, °C.")
    ] = 25.0,
    seeds: Annotated[int, typer.Option(min=1, max=64, help="For policies that throw dice.")] = 4,
) -> None:
    """Run a recorded trace again in the simulator, under several policies, and compare them.

    The requests come when they came, whatever a policy makes of them. "ours" is the very code that
    the router runs. Prints times in seconds (to the first token, and until done), loads, heat,
    fairness and energy, averaged over the seeds; the plot has a column for each policy:
    temperature, queue and models in memory over time. Nothing real is touched.

    \b
    Policies: ours, random, round-robin, least-connections, least-connections-gated,
    chwbl, herd-like, sticky, "sticky late, window 2".
    A fleet's FILE is a JSON list: [{"name": "attic", "like": "pi-8gb", "cooling": "passive"}]

    \b
    Examples:
      orion replay monday.jsonl
      orion replay monday.jsonl --policy ours --policy sticky --plot out.svg
    """
    from orion_cli import replay as command

    world = command.World(fleet, placed, prompts_kept, ambient)
    raise typer.Exit(command.run(trace, tuple(policy or ()), world, plot, seeds))
