"""Which boards `orion up` serves (pure): named ones, the Ollama found here, or simulated ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from orion_cli.problem import USAGE, Problem
from orion_contracts.classes import GIB, classify
from orion_contracts.limits import is_node_name

Kind = Literal["named", "local", "simulated"]
OLLAMA_PORT = 11434
LOCAL_OLLAMA = f"http://127.0.0.1:{OLLAMA_PORT}"
SIMULATED = (("pi-16gb", 16), ("pi-8gb", 8), ("pi-4gb", 4))
_HOST = re.compile(r"[\w.-]+|[0-9a-f.]*:[0-9a-f:.]+(?:%[\w.-]+)?")
"""A name, or an address of either kind: `a=b=c` would else be looked up as the host `b=c`."""
VISIBLE_SHARE = 0.985
"""The firmware keeps a little: an "8 GB" board reports about 7.9 GiB."""


@dataclass(frozen=True, slots=True)
class Board:
    """One board. `url` is empty until a simulated one is started; `why` says why it is excluded."""

    name: str
    url: str = ""
    spec: str = ""
    memory_bytes: int | None = None
    class_name: str = ""
    why: str = ""

    @property
    def eligible(self) -> bool:
        """Whether it gets an agent."""
        return not self.why


@dataclass(frozen=True, slots=True)
class Choice:
    """The boards, where they come from, and what to tell the person about it."""

    kind: Kind
    boards: tuple[Board, ...]
    notes: tuple[str, ...] = ()


def parse_node(text: str) -> Board:
    """A board from NAME=URL; the scheme and Ollama's port may be left out."""
    name, equals, url = text.partition("=")
    example = "write --node NAME=URL, for example --node pi5=http://192.168.1.20:11434"
    if not equals or not url:
        raise Problem(f"--node {text}: a name and an address are needed", example, USAGE)
    if not is_node_name(name):
        raise Problem(
            f"--node {text}: {name!r} cannot name a board", "use letters, digits, - _ .", USAGE
        )
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        hostname, port = parts.hostname or "", parts.port
    except ValueError:
        raise Problem(f"--node {text}: {url!r} has no valid host or port", example, USAGE) from None
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(hostname):
        raise Problem(f"--node {text}: {url!r} is no address of an Ollama", example, USAGE)
    host = f"[{hostname}]" if ":" in hostname else hostname
    port = port or (443 if parts.scheme == "https" else OLLAMA_PORT)
    return Board(name, f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}")


def simulated() -> tuple[Board, ...]:
    """The three boards of the plan; the 4 GB one falls below every class."""
    made: list[Board] = []
    for name, gigabytes in SIMULATED:
        memory = int(gigabytes * GIB * VISIBLE_SHARE)
        found = classify(memory)
        why = "" if "worker" in found.roles else f"{gigabytes} GB: below the 8gb class"
        made.append(Board(name, "", name, memory, found.name, why))
    return tuple(made)


def choose(
    nodes: Sequence[str], *, ollama_here: bool, simulate: bool, hostname: str, memory_bytes: int
) -> Choice:
    """The boards to serve. `simulate`: asked for, so a local Ollama is left alone."""
    if nodes:
        if simulate:
            raise Problem(
                "--engine and --speed are for simulated boards, --node for real ones",
                "leave one of them out",
                USAGE,
            )
        named = tuple(parse_node(text) for text in nodes)
        names = [board.name for board in named]
        if twice := next((n for n in names if names.count(n) > 1), ""):
            raise Problem(f"--node {twice} is given twice", "give each board its own name", USAGE)
        return Choice("named", named, (REMOTE_NOTE,))
    if ollama_here and not simulate:
        name = hostname if is_node_name(hostname) else "here"
        found = classify(memory_bytes)
        small = "worker" not in found.roles
        notes = (SMALL_NOTE.format(gib=memory_bytes / GIB),) if small else ()
        return Choice(
            "local",
            (Board(name, LOCAL_OLLAMA, "", memory_bytes, "" if small else found.name),),
            notes,
        )
    return Choice("simulated", simulated())


REMOTE_NOTE = (
    "Temperature and memory of boards elsewhere cannot be read from here: they show as unknown, "
    "and the gates on heat and memory cannot act. For those, run orion-inference-worker on the "
    "boards (docs/INFERENCE-SETUP.md)."
)
SMALL_NOTE = (
    "This computer has {gib:.1f} GiB: in a cluster it would be excluded; here it is used, because "
    "its Ollama is the only one there is."
)
