"""A request under its model's real name, with the fingerprint of what was asked."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from orion_contracts import schema
from orion_contracts.config import ClusterConfig, ModelConfig
from orion_contracts.errors import InvalidRequest
from orion_contracts.fingerprint import fingerprint
from orion_contracts.messages import InferenceRequest
from orion_contracts.naming import by_real_name, understood
from orion_contracts.stamp import VERSION

CONFIG = ClusterConfig(models=(ModelConfig(name="big:3b", aliases=("assistant",)),))


def document(**more: Any) -> dict[str, Any]:
    return {
        "version": VERSION, "request_id": "11111111-2222-4333-8444-555555555555", "model": "m",
        "messages": [{"role": "user", "content": "hi"}], "timestamp": "2026-01-01T00:00:00Z",
        "source": "test", **more,
    }  # fmt: skip


def request(**more: Any) -> InferenceRequest:
    schema.check("inference.request", document(**more))
    return InferenceRequest.from_wire(document(**more))


def test_a_request_by_its_real_name_stays_as_it_came() -> None:
    """Byte for byte; the ledger takes the fingerprint of that."""
    asked, raw = request(), b'{ "as": "it came" }'

    assert understood(asked, by_real_name(asked, CONFIG), raw) == (asked, raw, "")


def test_an_alias_becomes_its_model_and_is_what_the_answer_bears() -> None:
    """The mark is that of the bytes that came: the same again is the same request."""
    asked, raw = request(model="assistant", session="s"), b"raw"
    settled, body, mark = understood(asked, by_real_name(asked, CONFIG), raw)

    assert (settled.model, settled.answer_as, settled.called) == (
        "big:3b",
        "assistant",
        "assistant",
    )
    assert mark == fingerprint(raw)
    assert InferenceRequest.from_wire(orjson.loads(body)) == settled


def test_what_a_client_writes_into_our_fields_is_dropped() -> None:
    """Its answer bears the model that ran."""
    asked = request(answer_as="gpt", fallback_from="gpt")
    settled, body, mark = understood(asked, by_real_name(asked, CONFIG), b"raw")

    assert (settled.called, settled.fallback_from) == ("m", "")
    assert b"gpt" not in body
    assert mark == fingerprint(b"raw")


def test_the_new_fields_travel() -> None:
    """And are strict."""
    asked = request(allow_fallback=True, max_wait_ms=5000.0)

    assert (asked.allow_fallback, asked.max_wait_ms) == (True, 5000)
    assert InferenceRequest.from_wire(asked.to_wire()) == asked
    for wrong, field in (({"allow_fallback": "yes"}, "allow_fallback"),
                         ({"max_wait_ms": 0}, "max_wait_ms")):  # fmt: skip
        with pytest.raises(InvalidRequest, match=field):
            request(**wrong)
