"""What the board itself shows: temperature, throttling, memory, pressure, load, disk, power.

Everything is read below `root`, so that tests and simulated boards can show what they like. A file
that is missing or strange gives None: unknown is its own answer, and never an error.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from orion_agent.power_sensors import read_power_w

CPU_NAMES = ("cpu-thermal", "cpu_thermal", "soc-thermal", "x86_pkg_temp")
THROTTLED_NOW = 0b1110
"""get_throttled: frequency capped, throttled, soft temperature limit (now)."""
UNDER_VOLTAGE_NOW = 0b1
PLAUSIBLE_C = (-40.0, 150.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One reading; None: not known."""

    temperature_c: float | None = None
    throttled: bool | None = None
    under_voltage: bool | None = None
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    memory_pressure_some_percent: float | None = None
    load_1m: float | None = None
    disk_free_bytes: int | None = None
    power_w: float | None = None


def read_sample(root: Path) -> Sample:
    """Read everything now (blocks for a millisecond or so: call it in a thread)."""
    total, available = _memory(root)
    throttled, under_voltage = _throttling(root)
    return Sample(
        temperature_c=_temperature(root),
        throttled=throttled,
        under_voltage=under_voltage,
        memory_total_bytes=total,
        memory_available_bytes=available,
        memory_pressure_some_percent=_pressure(root),
        load_1m=_load(root),
        disk_free_bytes=_disk(root),
        power_w=read_power_w(root),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _celsius(path: Path) -> float | None:
    try:
        value = int(_text(path)) / 1000
    except ValueError:
        return None
    return round(value, 1) if PLAUSIBLE_C[0] <= value <= PLAUSIBLE_C[1] else None


def _temperature(root: Path) -> float | None:
    """The processor's: its thermal zone by name, else its hwmon by name, else zone 0."""
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
    named = [zone for zone in zones if _text(zone / "type") in CPU_NAMES]
    for zone in named:
        if (value := _celsius(zone / "temp")) is not None:
            return value
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        named_so = _text(chip / "name") in CPU_NAMES
        if named_so and (value := _celsius(chip / "temp1_input")) is not None:
            return value
    return _celsius(zones[0] / "temp") if zones and not named else None


def _throttling(root: Path) -> tuple[bool | None, bool | None]:
    """Throttled now, under-voltage now; from the firmware where its file exists (not on a Pi 5)."""
    for path in (root / "sys/devices/platform").glob("soc*/*firmware/get_throttled"):
        try:
            bits = int(_text(path), 16)
        except ValueError:
            continue
        return bool(bits & THROTTLED_NOW), bool(bits & UNDER_VOLTAGE_NOW)
    for chip in (root / "sys/class/hwmon").glob("hwmon*"):
        if _text(chip / "name") == "rpi_volt" and (alarm := _text(chip / "in0_lcrit_alarm")):
            return None, alarm != "0"
    return None, None


def _memory(root: Path) -> tuple[int | None, int | None]:
    if str(root) == "/":
        import psutil

        memory = psutil.virtual_memory()
        return int(memory.total), int(memory.available)
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE))
    total, available = found.get("MemTotal"), found.get("MemAvailable")
    return int(total) * 1024 if total else None, int(available) * 1024 if available else None


def _pressure(root: Path) -> float | None:
    """Percent of the last 10 s in which something waited for memory; needs psi=1 on a Pi."""
    match = re.search(r"^some avg10=([\d.]+)", _text(root / "proc/pressure/memory"), re.MULTILINE)
    return float(match[1]) if match else None


def _load(root: Path) -> float | None:
    if str(root) == "/":
        import psutil

        return float(psutil.getloadavg()[0])
    try:
        return float(_text(root / "proc/loadavg").split()[0])
    except (IndexError, ValueError):
        return None


def _disk(root: Path) -> int | None:
    """Free bytes where the models lie, if that is known here, else on the root's file system."""
    for place in (os.environ.get("OLLAMA_MODELS", ""), str(root)):
        try:
            found = os.statvfs(place)
        except OSError:
            continue
        return found.f_bavail * found.f_frsize
    return None
