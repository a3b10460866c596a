"""Whose fault an engine's answer is."""

from __future__ import annotations

import orjson
import pytest

from orion_agent.engine_errors import from_status
from orion_contracts.errors import EngineCrashed, EngineRejected

THE_REQUESTS = (
    'option "num_ctx" must be of type integer',
    "invalid JSON schema in format",
    'invalid format: "xml"; expected "json" or a valid JSON Schema object',
    "Unable to generate parser for this template. Automatic parser generation failed: "
    "JSON schema conversion failed: Unrecognized schema: {}",
    "Unable to generate parser: JSON schema error: unknown type nonsense",
    "failed to parse grammar",
)
THE_ENGINES = (
    "llama runner process has terminated: signal: killed",
    "model runner has unexpectedly stopped",
    "Unable to generate parser for this template",
    "an error was encountered while running the model",
)


@pytest.mark.parametrize("said", THE_REQUESTS)
def test_a_500_that_blames_the_request_is_no_crash(said: str) -> None:
    """No other board will do better: told as 400, never repeated."""
    error = from_status(500, orjson.dumps({"error": said}).decode())

    assert isinstance(error, EngineRejected)
    assert (error.code, error.status, str(error)) == ("invalid_request", 400, said)


@pytest.mark.parametrize("said", THE_ENGINES)
def test_any_other_500_is_a_crash(said: str) -> None:
    """Counted, so that it ends some day."""
    assert isinstance(from_status(500, said), EngineCrashed)
