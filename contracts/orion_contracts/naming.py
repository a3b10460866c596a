"""What a client's request becomes before the ledger has it: its model under its real name (pure).

The answer bears the name that the client used. What a client wrote into the fields that are ours
is dropped. The fingerprint stays that of what was asked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import orjson

from orion_contracts.config import ClusterConfig
from orion_contracts.fingerprint import fingerprint
from orion_contracts.messages import InferenceRequest


class Understood(NamedTuple):
    """A request as it is to be run, and as the ledger keeps it."""

    request: InferenceRequest
    body: bytes
    mark: str
    """Of what was asked; empty where the body is just that."""


def by_real_name(request: InferenceRequest, config: ClusterConfig) -> InferenceRequest:
    """The same request where there is nothing to change."""
    if request.answer_as or request.fallback_from:
        request = replace(request, answer_as="", fallback_from="")
    real = config.real_name(request.model)
    if real != request.model:
        request = replace(request, model=real, answer_as=request.model)
    return request


def understood(request: InferenceRequest, settled: InferenceRequest, raw: bytes) -> Understood:
    """`settled`: what became of the request that came as `raw`."""
    if settled is request:
        return Understood(request, raw, "")
    return Understood(settled, orjson.dumps(settled.to_wire()), fingerprint(raw))
