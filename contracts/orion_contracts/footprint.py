"""How much memory a model takes, where nobody has measured it yet (pure)."""

DEFAULT_CONTEXT = 4096
"""Ollama's own on boards without a graphics card."""
CONTEXT_SHARE_PER_TOKEN = 4e-5
"""Keys and values of one token as a share of the file: 1.2e-5 to 8.5e-5 for models of 0.1 to 8
billion parameters (16-bit cache); a model that is resident is measured instead."""


def context_bytes(file_bytes: int, context_length: int, slots: int) -> int:
    """Keys and values for so many tokens in each slot."""
    return round(file_bytes * CONTEXT_SHARE_PER_TOKEN * context_length * slots)
