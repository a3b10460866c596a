"""What a finished run measured, on its way to the planners."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from orion_contracts.facts import MOST_BYTES, Facts

RUN = Facts(
    model="qwen3:1.7b", prompt_tokens=812, prompt_s=5.321, output_tokens=128, output_s=40.2,
    load_s=12.25, residency="cold", reason="stop",
)  # fmt: skip
anything = st.builds(
    Facts, model=st.text(), prompt_tokens=st.integers(), prompt_s=st.floats(),
    output_tokens=st.integers(), output_s=st.floats(), load_s=st.floats(),
    residency=st.sampled_from(["warm", "cold"]), reason=st.text(),
)  # fmt: skip


def test_facts_survive_the_doorbell() -> None:
    """What a planner reads is what the worker measured."""
    assert Facts.from_bytes(RUN.to_bytes()) == RUN
    assert Facts.from_bytes(Facts().to_bytes()) == Facts()


@given(anything)
def test_facts_are_always_small_and_sane(facts: Facts) -> None:
    """Whatever an engine says: fewer bytes than the bound, and no count or time below zero."""
    raw = facts.to_bytes()
    read = Facts.from_bytes(raw)

    assert len(raw) < MOST_BYTES
    assert read is not None
    assert min(read.prompt_tokens, read.prompt_s, read.output_tokens, read.output_s) >= 0
    assert read.load_s >= 0
    assert read.to_bytes() == raw


def test_a_name_beyond_all_measure_is_left_out() -> None:
    """The figures are worth more than the name: the planner knows what the board ran."""
    read = Facts.from_bytes(Facts(model="m" * 200, output_tokens=3).to_bytes())

    assert read == Facts(output_tokens=3)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"7", b"\xff", b'{"model":"' + b"m" * MOST_BYTES + b'"}']
)
def test_strange_bytes_are_no_facts(raw: bytes) -> None:
    """None, never an exception: anybody may write to the doorbell."""
    assert Facts.from_bytes(raw) is None


@given(st.binary(max_size=MOST_BYTES))
def test_no_bytes_raise(raw: bytes) -> None:
    """Reading is lenient, whatever comes."""
    Facts.from_bytes(raw)


def test_strange_fields_count_as_unknown() -> None:
    """One field that cannot be does not spoil the others."""
    raw = b'{"model":7,"prompt_tokens":-3,"prompt_s":"x","output_tokens":true,"output_s":2,"new":1}'

    assert Facts.from_bytes(raw) == Facts(output_s=2.0)
