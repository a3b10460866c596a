"""How much memory a model takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders.clusters import report
from builders.fleets import GIB
from orion_contracts.health import NodeHealth, ResidentModel
from orion_operator.footprint import footprint, guess_file_bytes, survey
from orion_operator.spec_models import ModelSpec


@pytest.mark.parametrize(
    ("model", "least", "most"),
    [
        ("llama3.2:3b", 1.7, 2.3),
        ("llama3.1:70b", 38, 46),
        ("qwen2.5:0.5b", 0.25, 0.45),
        ("smollm2:135m", 0.07, 0.3),
        ("llama3.2:1b-instruct-fp16", 1.8, 2.6),
        ("mistral:7b-instruct-q8_0", 6.5, 8),
        ("hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M", 1.7, 2.3),
    ],
)
def test_a_files_size_is_guessed_from_the_name(model: str, least: float, most: float) -> None:
    """Parameters times bytes of the usual quantisation: good enough to refuse 70b on 8 GB."""
    assert least <= guess_file_bytes(model) / 1e9 <= most


@pytest.mark.parametrize("model", ["phi3", "mymodel:latest", "tinyllama", "gemma", "a-b:c"])
def test_a_name_that_says_nothing_gives_nothing(model: str) -> None:
    """Then the model is placed without arithmetic."""
    assert guess_file_bytes(model) == 0
    found = footprint(ModelSpec(name=model), 1, survey([]))
    assert (found.total_bytes, str(found)) == (None, "its size is not known yet")


def test_a_file_on_disk_is_taken_at_its_size_with_context() -> None:
    """The largest that any board has, and keys and values for every slot."""
    reports = [report("a", on_disk={"m": 1.0}), report("b", on_disk={"m:latest": 2.0})]
    one = footprint(ModelSpec(name="m", context_length=8192), 1, survey(reports))
    two = footprint(ModelSpec(name="m", context_length=8192), 2, survey(reports))

    assert (one.source, one.file_bytes) == ("file", 2 * GIB)
    assert two.context_bytes == pytest.approx(2 * one.context_bytes, abs=2)
    assert str(one).startswith("needs 2.7 GiB (file 2.0 GiB on disk + 0.7 GiB for 8192 tokens")


def test_a_resident_model_is_measured() -> None:
    """What the engine says it takes replaces the reckoning, for the same context."""

    def loaded(context: int) -> NodeHealth:
        made = report("a", on_disk={"m": 1.0})
        resident = (ResidentModel(name="m", size_bytes=3 * GIB, context_length=context),)
        return replace(made, resident=resident)

    model = ModelSpec(name="m", context_length=4096)
    assert footprint(model, 1, survey([loaded(4096)])).total_bytes == 3 * GIB
    assert footprint(model, 1, survey([loaded(2048)])).source == "file"
    assert footprint(ModelSpec(name="m"), 1, survey([loaded(2048)])).source == "measured"
