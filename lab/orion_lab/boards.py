"""The catalogue of simulated boards."""

from dataclasses import dataclass
from math import inf
from typing import Final

from orion_contracts import power
from orion_contracts.power import PowerModel
from orion_lab import world

_GIB: Final = 1024**3
# The firmware and the GPU keep a little for themselves: an "8 GB" board reports about 7.9 GiB.
_VISIBLE_RAM: Final = 0.985


@dataclass(frozen=True, slots=True)
class BoardSpec:
    """What a board is made of; a rate of infinity means "costs no time"."""

    name: str
    ram_bytes: int
    decode_bytes_per_s: float
    storage_bytes_per_s: float
    full_rise_c: float
    max_loaded: int
    cpus: int = 4
    idle_rise_c: float = world.IDLE_RISE_C
    load_fixed_s: float = world.LOAD_FIXED_S
    page_cache_bytes_per_s: float = world.PAGE_CACHE_BYTES_PER_S
    hardware: str = "Raspberry Pi 5 Model B Rev 1.0"
    """As its device tree has it."""

    @property
    def power(self) -> PowerModel:
        """What it draws, as a worker on it reckons."""
        return power.of_board(self.hardware)

    @property
    def instant(self) -> bool:
        """Whether tokens cost no time, so that nobody needs to pace them."""
        return self.decode_bytes_per_s == inf


def _pi5(name: str, ram_gib: int, storage: float, rise_c: float, max_loaded: int) -> BoardSpec:
    ram = int(ram_gib * _GIB * _VISIBLE_RAM)
    return BoardSpec(name, ram, world.DECODE_BYTES_PER_S, storage, rise_c, max_loaded)


_NVME, _NVME_FAST = world.STORAGE_NVME_BYTES_PER_S, world.STORAGE_NVME_FAST_BYTES_PER_S
_SD = world.STORAGE_SD_BYTES_PER_S

_ALL: Final = (
    _pi5("pi-16gb", 16, _NVME_FAST, world.FULL_RISE_ACTIVE_C, 2),
    _pi5("pi-8gb", 8, _SD, world.FULL_RISE_ACTIVE_C, 1),
    _pi5("pi-8gb-passive", 8, _SD, world.FULL_RISE_PASSIVE_C, 1),
    _pi5("pi-8gb-poor", 8, _SD, world.FULL_RISE_POOR_C, 1),
    _pi5("pi-8gb-nvme", 8, _NVME, world.FULL_RISE_ACTIVE_C, 1),
    _pi5("pi-4gb", 4, _SD, world.FULL_RISE_PASSIVE_C, 1),
    BoardSpec(
        "pi4-8gb",
        int(8 * _GIB * _VISIBLE_RAM),
        world.DECODE_BYTES_PER_S_PI4,
        world.STORAGE_SD_PI4_BYTES_PER_S,
        world.FULL_RISE_PASSIVE_C,
        1,
        hardware="Raspberry Pi 4 Model B Rev 1.5",
    ),
    # For benchmarks: every answer is immediate, so what is measured is the product alone.
    BoardSpec(
        "zero",
        int(16 * _GIB * _VISIBLE_RAM),
        inf,
        inf,
        world.IDLE_RISE_C,
        3,
        load_fixed_s=0.0,
        page_cache_bytes_per_s=inf,
    ),
)
CATALOGUE: Final = {spec.name: spec for spec in _ALL}


def board(name: str) -> BoardSpec:
    """Look a board up by name.

    Raises:
        ValueError: no such board; the message lists the known ones.
    """
    try:
        return CATALOGUE[name]
    except KeyError:
        raise ValueError(f"unknown board {name!r}; known: {', '.join(CATALOGUE)}") from None
