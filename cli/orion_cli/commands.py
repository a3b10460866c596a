"""Every subcommand; each imports what it needs only when it runs, so that help is quick.

Those about traces are in `trace_commands`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from orion_cli import looking
from orion_cli.options import Password, PasswordFile, RedisAddr, Url, Version
from orion_cli.trace_commands import record, replay

EPILOG = "Start with: orion up   then, in another terminal: orion chat"
app = typer.Typer(
    name="orion",
    help="One address for a handful of Ollama boards: run it here, talk to it, look at it.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def orion(version: Version = False) -> None:
    """One address for a handful of Ollama boards: run it here, talk to it, look at it."""


@app.command(short_help="Run the whole system on this computer until Ctrl-C.")
def up(
    node: Annotated[
        list[str] | None,
        typer.Option("--node", metavar="NAME=URL", help="A board with its Ollama; repeat it."),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the gateway.")] = 8080,
    engine: Annotated[
        Literal["llama", "canned"] | None,
        typer.Option(help="Simulate boards; tokens from a real small model, or canned ones."),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(min=0.01, max=10_000, help="Simulated seconds per second [default: 1]."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder for the store's data and the logs.")
    ] = None,
    no_live: Annotated[bool, typer.Option("--no-live", help="Lines instead of a table.")] = False,
) -> None:
    """Run the whole system on this computer until Ctrl-C.

    Serves the boards named with --node; without one, the Ollama that runs here; without that,
    three simulated boards whose tokens come from a real small model. --engine or --speed ask for
    the simulated ones in any case. Listens on 127.0.0.1 only.

    \b
    Examples:
      orion up
      orion up --node pi16=http://192.168.1.20:11434 --node pi8=192.168.1.21
      orion up --engine llama --speed 4 --port 8081
    """
    from orion_cli import up as command

    options = command.Options(
        nodes=tuple(node or ()), port=port, engine=engine, speed=speed, data=data, live=not no_live
    )
    raise typer.Exit(command.run(options))


@app.command(short_help="Ask a model and see the answer come in.")
def chat(
    prompt: Annotated[
        str, typer.Argument(help="The question; - reads it from standard input.")
    ] = "",
    model: Annotated[str, typer.Option(help="Default: the first one that the boards have.")] = "",
    url: Url = "",
    system: Annotated[str, typer.Option(help="Instructions before the conversation.")] = "",
    temperature: Annotated[
        float | None, typer.Option(min=0, help="0: always the likeliest token.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many tokens.")
    ] = None,
) -> None:
    """Ask a model and see the answer come in; without a prompt, a conversation.

    The last line, on standard error, says which board answered, how long the question waited and
    how fast the tokens came. Should the router die meanwhile, the answer goes on where it was.

    \b
    Examples:
      orion chat "What is the capital of France?"
      git diff | orion chat --system "Review this change." -
    """
    from orion_cli import chat as command
    from orion_cli.state import find_url

    options = {"temperature": temperature, "num_predict": max_tokens}
    raise typer.Exit(command.run(prompt, model, find_url(url), system, options))


@app.command(short_help="Put a JSON request on the intake stream; print its answer.")
def submit(
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="A JSON request; - is stdin.")],
    redis_addr: RedisAddr = "",
    redis_password: Password = "",
    redis_password_file: PasswordFile = "",
    wait_s: Annotated[float, typer.Option(help="How long to wait for the final.")] = 600.0,
) -> None:
    """Put a request on the intake stream, as any producer does, and print its final answer.

    The JSON is sent as it is; version, request_id, timestamp and source are filled in where absent.
    Tokens of a request with "stream": true go to standard error as they come.

    \b
    Exit codes: 0 completed, 1 failed, 4 expired or not in time, 5 rejected, 6 cancelled.
    Example:
      echo '{"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}' \\
        | orion submit -
    """
    from orion_cli import submit as command
    from orion_cli.state import find_store

    where = find_store(redis_addr, redis_password, redis_password_file)
    raise typer.Exit(command.run(source, where, wait_s))


app.command(short_help="Show the boards, the queue and the requests, once.")(looking.status)
app.command(short_help="Say why a request runs where it runs, or why it waits.")(looking.explain)
app.command(short_help="Examine everything; say what is wrong and the remedy.")(looking.doctor)


@app.command(short_help="Give a board no new work.")
def drain(
    node: Annotated[str, typer.Argument(help="The board's name.")],
    undo: Annotated[bool, typer.Option("--undo", help="Give it work again.")] = False,
    redis_addr: RedisAddr = "",
    redis_password: Password = "",
    redis_password_file: PasswordFile = "",
) -> None:
    """Give a board no new work; what runs there is finished.

    \b
    Example:
      orion drain pi-8gb
      orion drain pi-8gb --undo
    """
    from orion_cli import drain as command
    from orion_cli.state import find_store

    where = find_store(redis_addr, redis_password, redis_password_file)
    raise typer.Exit(command.run(node, where, undo))


@app.command(short_help="Print the ledger's function library.")
def ledger() -> None:
    """Print the ledger's function library, for a store whose users may not load it.

    \b
    Example:
      orion ledger | redis-cli -x FUNCTION LOAD REPLACE
    """
    from orion_contracts.ledger import library_source

    print(library_source())


app.command(short_help="Write down what a running system is asked, without prompts.")(record)
app.command(short_help="Run a trace again in the simulator, under several policies.")(replay)
