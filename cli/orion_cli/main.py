"""The `orion` command: runs a subcommand and says in words what goes wrong."""

from __future__ import annotations

import os
import sys

from orion_cli.calling import as_called, myself
from orion_cli.commands import EPILOG, app
from orion_cli.problem import FAILED, INTERRUPTED, Problem


def main() -> None:
    """Run; whatever goes wrong is said in words, with a remedy where there is one."""
    try:
        for command in app.registered_commands:
            if command.callback is not None:
                command.callback.__doc__ = as_called(command.callback.__doc__ or "")
        app.info.epilog = as_called(EPILOG)
        app(prog_name=myself())
    except Problem as problem:
        _complain(problem.text, problem.remedy)
        sys.exit(problem.code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        from orion_contracts.errors import OrionError

        if os.environ.get("ORION_DEBUG"):
            raise
        if isinstance(error, OrionError):
            _complain(str(error), "")
        else:
            _complain(
                f"internal error: {type(error).__name__}: {error}",
                "this is a fault of ours: ORION_DEBUG=1 shows where; please report it",
            )
        sys.exit(FAILED)


def _complain(text: str, remedy: str) -> None:
    from rich.text import Text

    from orion_cli.terminal import console, printable

    err = console(stderr=True)
    said = printable(as_called(text))
    err.print(Text("orion: ", style="bold red").append(said, style="default not bold"),
              soft_wrap=True)  # fmt: skip
    if remedy:
        err.print(Text(f"  → {as_called(remedy)}"), soft_wrap=True)


if __name__ == "__main__":
    main()
