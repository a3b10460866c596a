"""Options that several subcommands share."""

from __future__ import annotations

from typing import Annotated

import typer


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"orion {version('orion-inference')}")
        raise typer.Exit


Url = Annotated[
    str,
    typer.Option("--url", help="The gateway. Default: ORION_URL, or the `orion up` running here."),
]
RedisAddr = Annotated[
    str,
    typer.Option(
        "--redis-addr",
        help="The store: host:port or redis://… Default: ORION_REDIS_ADDR, or the `orion up` "
        "running here.",
    ),
]
Password = Annotated[
    str,
    typer.Option("--redis-password", help="Better: --redis-password-file, or the environment."),
]
PasswordFile = Annotated[
    str, typer.Option("--redis-password-file", help="File that holds the store's password.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
]
