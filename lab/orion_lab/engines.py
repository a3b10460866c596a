"""Choosing an engine, and saying so when the wanted one is not there."""

from orion_lab.canned import CannedEngine
from orion_lab.engine import Engine


def make_engine(name: str) -> tuple[Engine, str]:
    """The engine of this name, or the canned one and the reason why. Blocks while it loads."""
    if name == "canned":
        return CannedEngine(), ""
    return CannedEngine(), f"no engine {name!r} in this version"
