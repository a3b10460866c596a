"""Managing models is not a client's job here: a clear 403 that says whose it is."""

from __future__ import annotations

from typing import Final

from orion_router.gateway.faults import GatewayError

PATHS: Final = (
    ("/api/pull", "POST"),
    ("/api/push", "POST"),
    ("/api/create", "POST"),
    ("/api/copy", "POST"),
    ("/api/delete", "DELETE"),
    ("/api/blobs/{digest}", "POST"),
)


def refusal(path: str) -> GatewayError:
    """The answer to a management call."""
    return GatewayError(
        403,
        f"{path}: models are managed for all boards together: under Kubernetes name them in "
        "spec.models of the InferenceCluster, else pull them on each board with `ollama pull`",
        "managed_elsewhere",
    )
