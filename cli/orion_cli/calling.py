"""How this command is called from here: what we tell people to type must work when they do."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from functools import cache
from pathlib import Path

NAME = "orion"
COMMANDS = "up|chat|submit|status|explain|doctor|drain|ledger|record|replay"
_MENTION = re.compile(rf"(?<![\w/.-])orion(?= (?:{COMMANDS})\b)")


def called(started: Path, beside: Path, here: Path, on_path: str | None) -> str:
    """`orion` where the shell finds this one by that name; else the path to it, as short as it
    can be written in the folder `here`. `started`: argv[0]; `beside`: where it is installed."""
    ours = started.absolute() if started.name == NAME else beside
    if not ours.exists() or (on_path is not None and ours.samefile(on_path)):
        return NAME
    try:
        return shlex.quote(str(ours.relative_to(here)))
    except ValueError:
        return shlex.quote(str(ours))


@cache
def myself() -> str:
    """How this process's command is called in this folder."""
    beside = Path(sys.executable).absolute().with_name(NAME)
    return called(Path(sys.argv[0]), beside, Path.cwd(), shutil.which(NAME))


def as_called(text: str) -> str:
    """The text with every `orion COMMAND` in it as it can be typed here."""
    me = myself()
    return text if me == NAME else _MENTION.sub(lambda _: me, text)
