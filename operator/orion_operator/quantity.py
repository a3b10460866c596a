"""Kubernetes quantities of memory: "12Gi", "500M", 1073741824 (pure)."""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"(\d{1,20}(?:\.\d{1,9})?)(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P|m|[eE][0-9]{1,2})?")
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50}
_DECIMAL = {"m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}
GIB = 1 << 30


def to_bytes(value: int | str) -> int:
    """Bytes of a quantity. Raises ValueError where it is none."""
    if isinstance(value, int):
        return value
    match = _QUANTITY.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is no quantity; write bytes, or like 12Gi or 64Mi")
    number, unit = match[1], match[2] or ""
    if unit in _BINARY:
        return int(float(number) * (1 << _BINARY[unit]))
    power = _DECIMAL[unit] if unit in _DECIMAL else int(unit[1:] or 0)
    return int(float(number) * 10**power)


def in_gib(size_bytes: float) -> str:
    """For people: "11.4 GiB"."""
    return f"{size_bytes / GIB:.1f} GiB"
