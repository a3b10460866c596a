"""What is refused, with which status and in which words."""

from typing import Any

import httpx
import pytest

from contract_ollama.server import Server

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {}},
}
BAD_SCHEMA = "invalid JSON schema in format"
GENERATING = pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])


@GENERATING
@pytest.mark.parametrize("stream", [True, False])
def test_an_unknown_model_is_404(http: httpx.Client, path: str, stream: bool) -> None:
    """Also for a stream: a failure before the first token keeps its status."""
    body = {"model": "nope", "prompt": "x", "messages": [{"role": "user", "content": "x"}]}
    response = http.post(path, json=body | {"stream": stream})

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.json() == {"error": "model 'nope' not found"}


def test_show_and_embed_spell_an_unknown_model_differently(http: httpx.Client) -> None:
    """The embed route answers with the scheduler's words."""
    show = http.post("/api/show", json={"model": "nope"})
    embed = http.post("/api/embed", json={"model": "nope", "input": "x"})

    assert (show.status_code, show.json()) == (404, {"error": "model 'nope' not found"})
    expected = {"error": 'model "nope" not found, try pulling it first'}
    assert (embed.status_code, embed.json()) == (404, expected)


BAD_CHATS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no-model": ({"model": ""}, 400, "model is required"),
    "impossible-name": ({"model": "a b!"}, 400, "invalid model name"),
    "messages-are-text": (
        {"messages": "x"},
        400,
        "json: cannot unmarshal string into Go struct field ChatRequest.messages"
        " of type []api.Message",
    ),
    "content-is-a-number": (
        {"messages": [{"role": "user", "content": 5}]},
        400,
        "json: cannot unmarshal number into Go struct field ChatRequest.messages.content"
        " of type string",
    ),
    "model-is-a-number": (
        {"model": 5},
        400,
        "json: cannot unmarshal number into Go struct field ChatRequest.model of type string",
    ),
    "options-are-text": (
        {"options": "x"},
        400,
        "json: cannot unmarshal string into Go struct field ChatRequest.options"
        " of type map[string]interface {}",
    ),
    "keep-alive-without-unit": (
        {"keep_alive": "300"},
        400,
        'time: missing unit in duration "300"',
    ),
    "keep-alive-unknown-unit": (
        {"keep_alive": "5x"},
        400,
        'time: unknown unit "x" in duration "5x"',
    ),
    "keep-alive-words": ({"keep_alive": "abc"}, 400, 'time: invalid duration "abc"'),
    "keep-alive-truth": ({"keep_alive": True}, 400, "Unsupported type: 'bool'"),
    "logprobs": ({"top_logprobs": 30}, 400, "top_logprobs must be between 0 and 20"),
    "integer-option": (
        {"options": {"num_predict": "x"}},
        500,
        'option "num_predict" must be of type integer',
    ),
    "load-time-option": (
        {"options": {"num_ctx": "x"}},
        500,
        'option "num_ctx" must be of type integer',
    ),
    "float-option": (
        {"options": {"temperature": "x"}},
        500,
        'option "temperature" must be of type float32',
    ),
    "stop-is-text": ({"options": {"stop": "x"}}, 500, 'option "stop" must be of type array'),
    "stop-of-numbers": (
        {"options": {"stop": [1]}},
        500,
        'option "stop" must be of an array of strings',
    ),
    "format": (
        {"format": "xml"},
        500,
        'invalid format: "\\"xml\\""; expected "json" or a valid JSON Schema object',
    ),
    "schema-of-no-type": ({"format": {"type": "nonsense"}}, 500, BAD_SCHEMA),
    "schema-of-no-type-within": (
        {"format": {"type": "object", "properties": {"a": {"type": "nonsense"}}}},
        500,
        BAD_SCHEMA,
    ),
    "schema-without-properties": ({"format": {"properties": 5}}, 500, BAD_SCHEMA),
    "schema-that-refers-to-nothing": ({"format": {"$ref": "#/nope"}}, 500, BAD_SCHEMA),
    "schema-of-half-a-pattern": ({"format": {"type": "string", "pattern": "("}}, 500, BAD_SCHEMA),
}


@pytest.mark.parametrize("case", BAD_CHATS.values(), ids=BAD_CHATS.keys())
def test_a_bad_chat_is_refused_in_ollamas_words(
    server: Server, http: httpx.Client, case: tuple[dict[str, Any], int, str]
) -> None:
    """Status and text, word for word: clients show them to people."""
    change, status, text = case
    response = http.post("/api/chat", json=server.chat() | change)

    assert (response.status_code, response.json()) == (status, {"error": text})


GOOD_SCHEMAS: tuple[dict[str, Any], ...] = (
    {},
    {"enum": []},
    {"type": "object", "required": "x"},
    {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]},
    {"$defs": {"n": {"type": "integer"}}, "type": "array", "items": {"$ref": "#/$defs/n"}},
    {"anyOf": [{"type": "string", "pattern": "^a+$"}, {"type": "null"}]},
)


@pytest.mark.parametrize("schema", GOOD_SCHEMAS, ids=str)
def test_what_can_become_a_grammar_is_served(
    server: Server, http: httpx.Client, schema: dict[str, Any]
) -> None:
    """Also odd ones: what is refused is no more than what is refused there."""
    response = http.post("/api/chat", json=server.chat(format=schema, stream=False))

    assert response.status_code == 200


def test_a_batch_of_nothing_ends_the_runner(server: Server, http: httpx.Client) -> None:
    """Which is why no such request reaches a board."""
    body = server.chat(options={"num_batch": 0}, stream=False)
    response = http.post("/api/chat", json=body)

    assert response.status_code == 500
    assert "n_batch and n_ubatch cannot both be zero" in response.json()["error"]


@pytest.mark.parametrize("num_ctx", [0, -1])
def test_a_context_of_nothing_is_served(server: Server, http: httpx.Client, num_ctx: int) -> None:
    """It is raised to the smallest that works."""
    response = http.post("/api/chat", json=server.chat(options={"num_ctx": num_ctx}, stream=False))

    assert response.status_code == 200


def test_generate_without_a_model_is_404(http: httpx.Client) -> None:
    """Unlike chat, which says that the model is required."""
    response = http.post("/api/generate", json={"prompt": "x"})

    assert (response.status_code, response.json()) == (404, {"error": "model '' not found"})


def test_raw_refuses_a_system_prompt(server: Server, http: httpx.Client) -> None:
    """A raw prompt is not put into a template."""
    response = http.post("/api/generate", json=server.generate(raw=True, system="x"))

    text = "raw mode does not support template, system, or context"
    assert (response.status_code, response.json()) == (400, {"error": text})


@GENERATING
def test_an_empty_body_is_missing(http: httpx.Client, path: str) -> None:
    """No body at all has words of its own; a cut one too."""
    empty, cut = http.post(path, content=b""), http.post(path, content=b'{"model":')

    assert (empty.status_code, empty.json()) == (400, {"error": "missing request body"})
    assert (cut.status_code, cut.json()) == (400, {"error": "unexpected EOF"})


@pytest.mark.parametrize(
    ("path", "go_type"), [("/api/chat", "ChatRequest"), ("/api/generate", "GenerateRequest")]
)
def test_a_body_that_is_not_an_object_is_refused(
    http: httpx.Client, path: str, go_type: str
) -> None:
    """The words name Go's type."""
    response = http.post(path, content=b"[]")

    text = f"json: cannot unmarshal array into Go value of type api.{go_type}"
    assert (response.status_code, response.json()) == (400, {"error": text})


def test_a_model_without_the_capability_refuses(server: Server, http: httpx.Client) -> None:
    """Tools name the model in full, thinking as the client spelled it."""
    capabilities = http.post("/api/show", json={"model": server.model}).json()["capabilities"]
    if {"tools", "thinking"} & set(capabilities):
        pytest.skip("the model under test has the capability")
    tools = http.post("/api/chat", json=server.chat(tools=[TOOL]))
    think = http.post("/api/chat", json=server.chat(think=True))

    full = f"registry.ollama.ai/library/{server.model} does not support tools"
    assert (tools.status_code, tools.json()) == (400, {"error": full})
    text = f'"{server.model}" does not support thinking'
    assert (think.status_code, think.json()) == (400, {"error": text})


def test_unknown_paths_and_methods_are_plain_text(http: httpx.Client) -> None:
    """Gin's own pages."""
    page, method = http.get("/nope"), http.get("/api/chat")

    assert (page.status_code, page.text) == (404, "404 page not found")
    assert (method.status_code, method.text) == (405, "405 method not allowed")


def test_openai_errors_have_openais_shape(server: Server, http: httpx.Client) -> None:
    """Message, type, param and code."""
    unknown = {"model": "nope", "messages": [{"role": "user", "content": "x"}]}
    missing = http.post("/v1/chat/completions", json=unknown)
    empty = http.post("/v1/chat/completions", json={"model": server.model, "messages": []})

    assert missing.status_code == 404
    kinds = {"type": "not_found_error", "param": None, "code": None}
    assert missing.json() == {"error": {"message": "model 'nope' not found", **kinds}}
    assert empty.status_code == 400
    kinds = {"type": "invalid_request_error", "param": None, "code": None}
    assert empty.json() == {"error": {"message": "[] is too short - 'messages'", **kinds}}
