"""Choosing an engine, and saying so when the wanted one is not there."""

from orion_lab.canned import CannedEngine
from orion_lab.engine import Engine
from orion_lab.llama import LlamaEngine


def make_engine(
    name: str, slots: int = 4, cache_mib: int = 256, threads: int = 2
) -> tuple[Engine, str]:
    """The engine of this name, or the canned one and the reason why. Blocks while it loads."""
    if name == "canned":
        return CannedEngine(), ""
    try:
        return LlamaEngine(slots, cache_mib, threads), ""
    except (LookupError, RuntimeError) as error:
        return CannedEngine(), f"canned tokens, not a real model's: {error}"
