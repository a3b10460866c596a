"""What the configuration says about how a placed model is run (pure).

Without this a request's own keep-alive would shorten the stay of a model that is placed here, and
a request without a context length would make Ollama load it anew with another one.
"""

from __future__ import annotations

from dataclasses import replace

from orion_agent.keeper_facts import keep_alive_s
from orion_agent.keeper_names import canonical
from orion_contracts.config import ClusterConfig
from orion_contracts.messages import InferenceRequest


def on_terms(request: InferenceRequest, config: ClusterConfig, node: str) -> InferenceRequest:
    """The request as it runs on this board: keep-alive is the longer one of both where the model
    is placed here, the context length the larger one wherever the model is configured."""
    name = canonical(request.model)
    model = next((m for m in config.models if canonical(m.name) == name), None)
    if model is None:
        return request
    if node in model.nodes:
        longer = max(request.keep_alive_seconds, keep_alive_s(model))
        request = replace(request, keep_alive_seconds=longer)
    options = request.options or {}
    asked = options.get("num_ctx", 0)
    if model.context_length and isinstance(asked, int) and asked < model.context_length:
        request = replace(request, options={**options, "num_ctx": model.context_length})
    return request
