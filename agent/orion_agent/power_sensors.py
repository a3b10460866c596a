"""A board's power, where it can be read, and what kind of board it is.

A Raspberry Pi 5's power chip is read by the firmware's own program, which needs /dev/vcio and so
is rarely there in a container; a sensor on the supply (INA219 and its kin) is in hwmon. What cannot
be read is None, never an error.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

PLAUSIBLE_W = (0.05, 200.0)
VCGENCMD_S = 1.0
_RAIL = re.compile(r"^\s*(\w+)_([AV])\s+(?:current|volt)\(\d+\)=([\d.]+)[AV]\s*$", re.MULTILINE)


def board_model(root: Path) -> str:
    """The device tree's name of the board; empty where it is masked (as in most containers)."""
    for place in ("proc/device-tree/model", "sys/firmware/devicetree/base/model"):
        try:
            return (root / place).read_text(errors="replace").strip("\0 \n")
        except OSError:
            continue
    return ""


def read_power_w(root: Path) -> float | None:
    """Watts now, to a tenth; blocks for some milliseconds."""
    for watts in (_hwmon_w(root), _pmic_w(root)):
        if watts is not None and PLAUSIBLE_W[0] <= watts <= PLAUSIBLE_W[1]:
            return round(watts, 1)
    return None


def _hwmon_w(root: Path) -> float | None:
    """The largest reading of a chip: what the supply gives holds all other rails. A chip made for
    measuring (ina...) goes before one that measures itself, such as a graphics card."""
    chips: list[tuple[bool, str, float]] = []
    for chip in (root / "sys/class/hwmon").glob("hwmon*"):
        readings = [r for path in chip.glob("power*_input") if (r := _micro(path)) is not None]
        if readings:
            chips.append((not _name(chip).startswith("ina"), chip.name, max(readings)))
    return min(chips)[2] if chips else None


def _name(chip: Path) -> str:
    try:
        return (chip / "name").read_text(errors="replace").strip()
    except OSError:
        return ""


def _micro(path: Path) -> float | None:
    try:
        return int(path.read_text(errors="replace")) / 1e6
    except (OSError, ValueError):
        return None


def _pmic_w(root: Path) -> float | None:
    if str(root) != "/" or not Path("/dev/vcio").exists():
        return None
    program = shutil.which("vcgencmd")
    if program is None:
        return None
    try:
        said = subprocess.run(
            [program, "pmic_read_adc"],
            capture_output=True, text=True, timeout=VCGENCMD_S, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return pmic_w(said)


def pmic_w(said: str) -> float | None:
    """Watts of all rails of which current and voltage were read; None where there is none."""
    amperes: dict[str, float] = {}
    volts: dict[str, float] = {}
    for rail, kind, value in _RAIL.findall(said):
        try:
            (amperes if kind == "A" else volts)[rail] = float(value)
        except ValueError:
            continue
    both = amperes.keys() & volts.keys()
    return sum(amperes[rail] * volts[rail] for rail in both) if both else None
