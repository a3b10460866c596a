"""The subcommands that look and change nothing; see `commands`."""

from __future__ import annotations

from typing import Annotated

import typer

from orion_cli.options import Json, Password, PasswordFile, RedisAddr, Url


def status(url: Url = "", as_json: Json = False) -> None:
    """Show the boards, the queue and the requests, once.

    \b
    Example:
      orion status --url http://192.168.1.20:8080
    """
    from orion_cli import status as command
    from orion_cli.state import find_url

    raise typer.Exit(command.run(find_url(url), as_json))


def explain(
    request_id: Annotated[
        str,
        typer.Argument(metavar="REQUEST_ID", help="Its id; without one, the last ten decisions."),
    ] = "",
    url: Url = "",
    as_json: Json = False,
) -> None:
    """Say why a request runs where it runs, or why it waits and until when.

    Shows what was decided and when, and each board with the seconds that the answer was expected
    to take there, or with the word that kept it out; below, what the words mean. The id is in the
    header x-orion-request-id of each answer, and in `orion status`.

    \b
    Examples:
      orion explain
      orion explain 2f1c7f5c-6f0e-4f0a-9a53-0d7f3b5b8c01
    """
    from orion_cli import explain as command
    from orion_cli.state import find_url

    raise typer.Exit(command.run(request_id, find_url(url), as_json))


def doctor(
    redis_addr: RedisAddr = "",
    redis_password: Password = "",
    redis_password_file: PasswordFile = "",
    url: Url = "",
    ollama_host: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="An Ollama to examine; repeat it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Examine store, router, boards and Ollama; say what is wrong and the remedy.

    Changes nothing. Exit code 1 if something fails.

    \b
    Example:
      orion doctor --redis-addr 192.168.1.20:6379 --ollama-host http://192.168.1.21:11434
    """
    from orion_cli import doctor as command
    from orion_cli.state import find_store, find_url

    where = find_store(redis_addr, redis_password, redis_password_file)
    raise typer.Exit(command.run(where, find_url(url), ollama_host or (), as_json))
