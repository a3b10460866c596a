"""The files under `sys` and `proc` that a node agent reads, written from a board's sensors."""

import os
from pathlib import Path

from orion_lab import memory
from orion_lab.boards import BoardSpec


class SensorFiles:
    """One board's fake file system, below `root`.

    Files are replaced, never rewritten in place: a reader sees the old text or the new one.
    """

    def __init__(self, root: Path, spec: BoardSpec) -> None:
        self._spec = spec
        self._zone = root / "sys/class/thermal/thermal_zone0"
        self._proc = root / "proc"
        self._zone.mkdir(parents=True, exist_ok=True)
        self._proc.mkdir(parents=True, exist_ok=True)
        _replace(self._zone / "type", "cpu-thermal\n")
        (self._proc / "device-tree").mkdir(exist_ok=True)
        _replace(self._proc / "device-tree/model", f"{spec.hardware}\0")
        _replace(self._proc / "cpuinfo", "".join(f"processor\t: {n}\n" for n in range(spec.cpus)))

    def write(
        self, temperature_c: float, used_bytes: int, cached_bytes: int, load_average: float
    ) -> None:
        """Write what the sensors show now."""
        _replace(self._zone / "temp", f"{round(temperature_c * 1000)}\n")
        _replace(self._proc / "meminfo", memory.meminfo(self._spec, used_bytes, cached_bytes))
        load = f"{load_average:.2f}"
        _replace(self._proc / "loadavg", f"{load} {load} {load} 1/150 1000\n")


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    os.replace(fresh, path)
