"""Patterns and list kinds that several fields of the resource share (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

QUANTITY = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"
MODEL_NAME: Mapping[str, Any] = {
    "pattern": r"^[A-Za-z0-9][A-Za-z0-9._/-]*(:[A-Za-z0-9._-]+)?$",
    "minLength": 1,
    "maxLength": 200,
}
"""As orion_contracts.limits.check_model: no digests, no schemes, no hosts with ports."""
NODE_NAME: Mapping[str, Any] = {
    "pattern": r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$",
    "minLength": 1,
    "maxLength": 128,
}
CLASS_NAME: Mapping[str, Any] = {
    "pattern": r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    "minLength": 1,
    "maxLength": 63,
}
"""A label's value."""
SET: Mapping[str, Any] = {"kind": "array", "x-kubernetes-list-type": "set"}
KEYED: Mapping[str, Any] = {
    "kind": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
}
"""A list whose items are told apart by their name."""
TYPED: Mapping[str, Any] = {**KEYED, "x-kubernetes-list-map-keys": ["type"]}
