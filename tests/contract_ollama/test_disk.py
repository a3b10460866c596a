"""What changes the models on disk: pull, copy, delete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx
import pytest

from contract_ollama.registry import registry
from contract_ollama.server import Server, lines


@dataclass(frozen=True)
class Source:
    """Where to pull from: `small` is there, `nope` is not."""

    before: str
    small: str

    def body(self, name: str = "", **more: Any) -> dict[str, Any]:
        """The body of a pull."""
        return {"model": self.before + (name or self.small), "insecure": True, **more}

    @property
    def listed(self) -> str:
        """The name under which it is on disk afterwards."""
        return self.before.removeprefix("http://") + self.small


@pytest.fixture
def source(server: Server, http: httpx.Client, request: pytest.FixtureRequest) -> Iterator[Source]:
    """A registry that this server can reach; what was pulled is deleted again."""
    if "real" in request.node.callspec.id:
        with registry() as before:
            made = Source(before, "small:latest")
            yield made
            http.request("DELETE", "/api/delete", json={"model": made.listed})
        return
    made = Source("", "qwen2.5:0.5b")
    yield made
    http.request("DELETE", "/api/delete", json={"model": made.small})


def names(http: httpx.Client) -> set[str]:
    """The models on disk."""
    return {each["name"] for each in http.get("/api/tags").raise_for_status().json()["models"]}


def test_a_pull_tells_its_progress_and_ends_with_success(
    http: httpx.Client, source: Source
) -> None:
    """Manifest, each file with its bytes, verification, manifest written, success."""
    said = lines(http, "/api/pull", source.body())
    parts = [each for each in said if "digest" in each]

    assert said[0] == {"status": "pulling manifest"}
    closing = [each for each in said[1:] if "digest" not in each]
    assert closing == [
        {"status": "verifying sha256 digest"}, {"status": "writing manifest"},
        {"status": "success"},
    ]  # fmt: skip
    for each in parts:
        assert each["status"] == f"pulling {each['digest'].removeprefix('sha256:')[:12]}"
        assert 0 <= each.get("completed", 0) <= each["total"]
    for one, other in pairwise(parts):
        if one["digest"] == other["digest"]:
            assert one.get("completed", 0) <= other.get("completed", 0)
            assert one["total"] == other["total"]
    assert len(parts) > 5
    assert {each["digest"] for each in parts if each.get("completed") == each["total"]} == {
        each["digest"] for each in parts
    }
    assert source.listed in names(http)


def test_a_pull_that_was_left_goes_on_where_it_stopped(http: httpx.Client, source: Source) -> None:
    """Leaving ends it; asking again does not begin anew."""
    with http.stream("POST", "/api/pull", json=source.body()) as response:
        for line in response.iter_lines():
            if json.loads(line).get("completed", 0) > 1_000_000:
                break
    assert source.listed not in names(http)
    first = next(p for p in lines(http, "/api/pull", source.body()) if "digest" in p)

    assert first.get("completed", 0) > 500_000


def test_pulling_what_is_there_says_so_at_once(http: httpx.Client, source: Source) -> None:
    """Its files are complete from the first line on."""
    lines(http, "/api/pull", source.body())
    again = [p for p in lines(http, "/api/pull", source.body()) if "digest" in p]

    assert all(each["completed"] == each["total"] for each in again)


@pytest.mark.parametrize("stream", [True, False])
def test_an_unknown_model_fails_in_the_stream_or_as_a_whole(
    http: httpx.Client, source: Source, stream: bool
) -> None:
    """After the first line the status has been sent: the error is the last line."""
    response = http.post("/api/pull", json=source.body("nope", stream=stream))
    said = [json.loads(line) for line in response.text.splitlines()]

    assert said[-1] == {"error": "pull model manifest: file does not exist"}
    assert response.status_code == (200 if stream else 500)
    assert said[:-1] == ([{"status": "pulling manifest"}] if stream else [])


def test_a_copy_is_another_name_and_deleting_it_leaves_the_other(
    server: Server, http: httpx.Client
) -> None:
    """Both answer with nothing; the digest is the same."""
    copied = http.post("/api/copy", json={"source": server.model, "destination": "twin"})
    assert (copied.status_code, copied.content) == (200, b"")
    found = http.get("/api/tags").json()["models"]
    assert (
        len({each["digest"] for each in found if each["name"] in ("twin:latest", server.model)})
        == 1
    )
    deleted = http.request("DELETE", "/api/delete", json={"model": "twin"})

    assert (deleted.status_code, deleted.content) == (200, b"")
    assert names(http) == {server.model}


def test_what_is_not_there_is_404(http: httpx.Client) -> None:
    """Two spellings."""
    copied = http.post("/api/copy", json={"source": "nope", "destination": "twin"})
    deleted = http.request("DELETE", "/api/delete", json={"model": "nope"})

    assert (copied.status_code, copied.json()) == (404, {"error": 'model "nope" not found'})
    assert (deleted.status_code, deleted.json()) == (404, {"error": "model 'nope' not found"})


@pytest.mark.parametrize("path", ["/api/pull", "/api/copy", "/api/delete"])
def test_an_empty_body_is_missing(http: httpx.Client, path: str) -> None:
    """As everywhere."""
    method = "DELETE" if path == "/api/delete" else "POST"
    answer = http.request(method, path)

    assert (answer.status_code, answer.json()) == (400, {"error": "missing request body"})
