"""Measured figures of a trial, said where a person finds them (`make faults` shows them)."""

from __future__ import annotations


def figure(text: str) -> None:
    """Say one measured result."""
    print(f"measured: {text}", flush=True)
