"""Loading, keeping, unloading, and what the metadata says about it."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from contract_ollama.server import HEAD, Server, lines, parsed, resident, shape, wait_resident

DETAILS = {
    "parent_model": str,
    "format": str,
    "family": str,
    "families": list,
    "parameter_size": str,
    "quantization_level": str,
}
BOTH = pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])


def unload(server: Server, http: httpx.Client) -> None:
    """Empty the server's memory."""
    http.post("/api/generate", json={"model": server.model, "keep_alive": 0}).raise_for_status()
    wait_resident(http, 0)


def test_it_says_that_it_runs(http: httpx.Client) -> None:
    """The liveness and readiness probes of every deployment."""
    root, version = http.get("/"), http.get("/api/version")

    assert root.text == "Ollama is running"
    assert root.headers["content-type"] == "text/plain; charset=utf-8"
    assert shape(version.json()) == {"version": str}


@BOTH
def test_an_empty_request_loads_and_a_zero_keep_alive_unloads(
    server: Server, http: httpx.Client, path: str
) -> None:
    """Both answer with one object, streamed or not, and with a reason of their own."""
    unload(server, http)
    key, empty = ("message", dict) if path == "/api/chat" else ("response", str)
    loaded = http.post(path, json={"model": server.model})
    assert len(resident(http)) == 1
    unloaded = http.post(path, json={"model": server.model, "keep_alive": 0})
    wait_resident(http, 0)

    for response, reason in ((loaded, "load"), (unloaded, "unload")):
        assert response.headers["content-type"] == "application/json; charset=utf-8"
        value = response.json()
        assert shape(value) == HEAD | {"done_reason": str, key: empty}
        assert (value["done"], value["done_reason"]) == (True, reason)
        assert value[key] in ("", {"role": "assistant", "content": ""})


def test_unloading_what_is_not_loaded_is_fine(server: Server, http: httpx.Client) -> None:
    """Unloading is idempotent."""
    unload(server, http)
    again = http.post("/api/chat", json={"model": server.model, "messages": [], "keep_alive": 0})

    assert again.json()["done_reason"] == "unload"


def test_keep_alive_zero_on_a_question_unloads_after_the_answer(
    server: Server, http: httpx.Client
) -> None:
    """The answer comes first."""
    assert lines(http, "/api/chat", server.chat(keep_alive=0))[-1]["done"] is True

    wait_resident(http, 0)


@pytest.mark.parametrize(
    ("keep_alive", "seconds"), [(90, 90), ("2m30s", 150), ("1500ms", 1.5), (None, 300)]
)
def test_a_model_expires_its_keep_alive_after_the_last_answer(
    server: Server, http: httpx.Client, keep_alive: object, seconds: float
) -> None:
    """Numbers are seconds, strings Go durations; five minutes if nothing is said."""
    unload(server, http)
    more: dict[str, Any] = {} if keep_alive is None else {"keep_alive": keep_alive}
    lines(http, "/api/chat", server.chat(**more))
    left_s = (parsed(resident(http)[0]["expires_at"]) - datetime.now(UTC)).total_seconds()

    assert seconds - 1.5 <= left_s <= seconds + 0.1


def test_a_short_keep_alive_expires(server: Server, http: httpx.Client) -> None:
    """Without anybody asking, the model leaves."""
    http.post("/api/generate", json={"model": server.model, "keep_alive": "200ms"})

    wait_resident(http, 0)


def test_a_negative_keep_alive_is_centuries(server: Server, http: httpx.Client) -> None:
    """Go's largest duration; the year still has four digits."""
    http.post("/api/generate", json={"model": server.model, "keep_alive": -1})

    assert parsed(resident(http)[0]["expires_at"]).year > 2300


def test_running_models_are_described(server: Server, http: httpx.Client) -> None:
    """Exact keys of `/api/ps`, without GPU memory on a CPU."""
    http.post("/api/generate", json={"model": server.model, "options": {"num_ctx": 2048}})
    (seen,) = resident(http)

    expected = {"name": str, "model": str, "size": int, "digest": str, "details": dict}
    assert shape(seen) == expected | {"expires_at": str, "size_vram": int, "context_length": int}
    assert shape(seen["details"]) == DETAILS
    assert seen["name"] == seen["model"] == server.model
    assert (seen["size_vram"], seen["context_length"]) == (0, 2048)


def test_another_context_length_reloads(server: Server, http: httpx.Client) -> None:
    """A load-time option that differs costs a load; the same one does not."""
    unload(server, http)
    for tokens in (1024, 1024, 2048):
        lines(http, "/api/chat", server.chat(options={"num_ctx": tokens}))
        assert [each["context_length"] for each in resident(http)] == [tokens]


def test_models_on_disk_are_listed(server: Server, http: httpx.Client) -> None:
    """The keys that every version has; the digest is that of `/api/ps`."""
    http.post("/api/generate", json={"model": server.model})
    (seen,) = http.get("/api/tags").json()["models"]

    expected = {"name": str, "model": str, "modified_at": str, "size": int, "digest": str}
    newer = {"capabilities": list}
    assert shape(seen) in (expected | {"details": dict}, expected | {"details": dict} | newer)
    assert shape(seen["details"]) == DETAILS
    assert len(seen["digest"]) == 64
    assert seen["digest"] == resident(http)[0]["digest"]
    parsed(seen["modified_at"])


def test_show_says_what_a_model_needs(server: Server, http: httpx.Client) -> None:
    """What a router computes memory from: layers, KV heads, head size, context."""
    shown = http.post("/api/show", json={"model": server.model}).json()
    info = shown["model_info"]
    arch = info["general.architecture"]

    assert shape(shown["details"]) == DETAILS
    assert "completion" in shown["capabilities"]
    for key in ("block_count", "attention.head_count_kv", "context_length", "embedding_length"):
        assert isinstance(info[f"{arch}.{key}"], int)
    for key in ("modelfile", "template", "modified_at"):
        assert isinstance(shown[key], str)


def test_embedding_without_input_only_loads(server: Server, http: httpx.Client) -> None:
    """No vectors, no metrics."""
    response = http.post("/api/embed", json={"model": server.model, "input": ""})

    assert response.json() == {"model": server.model, "embeddings": []}
    bad = http.post("/api/embed", json={"model": server.model, "input": 5})
    assert (bad.status_code, bad.json()) == (400, {"error": "invalid input type"})


def test_openai_lists_the_same_models(server: Server, http: httpx.Client) -> None:
    """`/v1/models` in OpenAI's shape."""
    listed = http.get("/v1/models").json()

    assert listed["object"] == "list"
    (only,) = listed["data"]
    assert shape(only) == {"id": str, "object": str, "created": int, "owned_by": str}
    assert only["id"] == server.model
