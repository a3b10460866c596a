"""Command-line flags that are also environment variables, read once at start.

`--redis-addr` is `ORION_REDIS_ADDR`; a flag wins over its variable. A value that cannot be read
ends the program with a message naming the flag or variable, never with a traceback.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from orion_contracts.errors import Misconfigured


def variable(flag: str) -> str:
    """The environment variable of a flag: `--http-port` is ORION_HTTP_PORT."""
    return "ORION_" + flag.lstrip("-").replace("-", "_").upper()


class Flags:
    """A parser whose defaults come from the environment."""

    def __init__(
        self, program: str, description: str, environ: Mapping[str, str] | None = None
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self.parser = argparse.ArgumentParser(
            prog=program,
            description=description,
            epilog="Every flag can also be given as an environment variable: "
            "--redis-addr as ORION_REDIS_ADDR, and so on.",
        )

    def add(
        self,
        flag: str,
        help_text: str,
        default: Any = "",
        kind: Callable[[str], Any] = str,
        choices: tuple[str, ...] | None = None,
    ) -> None:
        """Add `flag`; `default` where neither flag nor variable is given."""
        name = variable(flag)
        value: Any = default
        if (given := self._environ.get(name)) is not None and given != "":
            try:
                value = kind(given)
            except (ValueError, argparse.ArgumentTypeError) as error:
                self.parser.error(f"{name}={given!r}: {error}")
            if choices and value not in choices:
                self.parser.error(f"{name}={given!r}: choose from {', '.join(choices)}")
        shown = f" (default: {default})" if default not in ("", None) else ""
        text = (help_text + shown).replace("%", "%%")
        self.parser.add_argument(flag, help=text, default=value, type=kind, choices=choices)

    def parse(self, argv: list[str] | None = None) -> argparse.Namespace:
        """The values; exits with status 2 and a message when they make no sense."""
        return self.parser.parse_args(argv)

    @contextmanager
    def judged(self) -> Generator[None]:
        """What the block finds wrong with the values ends the program as any other nonsense."""
        try:
            yield
        except Misconfigured as error:
            self.parser.error(str(error))


def port(text: str) -> int:
    """A TCP port, 0 to 65535 (0: any free one)."""
    return bounded_int(0, 65535)(text)


def bounded_int(least: int, most: int) -> Callable[[str], int]:
    """A parser of whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not between {least} and {most}")
        return value

    return read


def positive_float(text: str) -> float:
    """A number greater than 0."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} must be greater than 0")
    return value
