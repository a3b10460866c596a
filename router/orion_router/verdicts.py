"""The finals that a planner writes: of requests that it gives up (pure, but for the time stamp)."""

from __future__ import annotations

from orion_contracts.messages import InferenceResponse
from orion_contracts.stamp import iso_now

TEXT = {
    "model_not_found": "model '{model}' not found",
    "no_node_eligible": "no board may take work now (too hot, out of memory or gone)",
    "record_lost": "the record of this request was overwritten in the store",
}


def give_up(request_id: str, model: str, code: str, router: str) -> InferenceResponse:
    """The final of a queued request, in the words of its `code`."""
    return InferenceResponse(
        request_id=request_id,
        model=model,
        timestamp=iso_now(),
        source=f"orion-inference-router/{router}",
        status="rejected" if code == "no_node_eligible" else "failed",
        error=TEXT[code].format(model=model),
        error_code=code,
    )
