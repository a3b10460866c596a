"""Web pages: those of this computer may use the address, foreign ones may not."""

from __future__ import annotations

import pytest

from orion_router.gateway.origins import Origins, origin_of, read_origins
from orion_router.settings import Settings
from unit.gateway.gateway_harness import CHAT, ID, FakeDesk, client

EVIL = "http://evil.example"
LOCAL = [
    "http://localhost", "https://localhost", "http://localhost:3000", "https://127.0.0.1:1",
    "http://127.0.0.1", "http://0.0.0.0:65535", "app://obsidian.md", "file://", "tauri://localhost",
    "vscode-webview://0a1b", "vscode-file://vscode-app",
]  # fmt: skip
FOREIGN = [
    EVIL, "null", "", "http://localhost.evil.example", "http://localhost:3000.evil.example",
    "http://127.0.0.1.evil.example", "http://evil.example/localhost", "http://localhost:",
    "http://localhost:123456", "http://localhost@evil.example", "http://192.168.1.5:3000",
    "chrome-extension://abc", "https://evil.example#http://localhost",
]  # fmt: skip
CHANGES = [
    ("POST", "/api/chat"), ("POST", "/api/generate"), ("POST", "/api/embed"), ("POST", "/api/show"),
    ("POST", "/api/pull"), ("DELETE", "/api/delete"), ("POST", "/v1/chat/completions"),
    ("POST", "/v1/embeddings"), ("POST", "/v1/requests"), ("DELETE", f"/v1/requests/{ID}"),
    ("POST", f"/v1/requests/{ID}/cancel"), ("PUT", "/api/chat"), ("PATCH", "/nowhere"),
    ("OPTIONS", "/api/chat"), ("OPTIONS", "/v1/requests"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_a_foreign_page_changes_nothing(method: str, path: str) -> None:
    """403 in the protocol's own shape, without headers that would let it see the answer; the
    body is not even read."""
    async with client() as c:
        c.desk.marks[ID] = ""
        answer = await c.open(method, path, CHAT, {"origin": EVIL, "host": "pi:8080"}).ended()

    assert answer.status == 403
    assert "--origins" in str(answer.document["error"])
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert (c.desk.submitted, c.desk.cancelled) == ([], [])


@pytest.mark.parametrize("origin", LOCAL)
async def test_pages_of_this_computer_may_use_it(origin: str) -> None:
    """Ollama's list: the answer may be seen, and the preflight before it is answered."""
    async with client() as c:
        asked = await c.post("/api/chat", CHAT, origin=origin, host="pi:8080")
        before = await c.open(
            "OPTIONS", "/v1/chat/completions", None,
            {"origin": origin, "access-control-request-method": "POST",
             "access-control-request-headers": "authorization,content-type"},
        ).ended()  # fmt: skip

    assert (asked.status, before.status, before.body) == (200, 204, b"")
    for answer in (asked, before):
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["vary"].startswith("Origin")
    assert "X-Orion-Request-Id" in asked.headers["access-control-expose-headers"]
    assert "POST" in before.headers["access-control-allow-methods"]
    allowed = before.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key", "x-stainless-lang"} <= {*allowed}
    assert before.headers["access-control-max-age"] == "43200"


@pytest.mark.parametrize("origin", FOREIGN)
async def test_what_only_looks_like_this_computer_is_foreign(origin: str) -> None:
    """A name that begins like localhost is somebody else's."""
    async with client() as c:
        answer = await c.post("/api/chat", CHAT, origin=origin, host="pi:8080")

    assert answer.status == 403


async def test_the_routers_own_pages_and_programs_are_not_concerned() -> None:
    """Origin and Host are the same, or there is no Origin: as if nothing were checked."""
    async with client() as c:
        own = await c.post(
            "/api/chat", CHAT, origin="https://orion.lan:8080", host="orion.lan:8080"
        )
        program = await c.post("/api/chat", CHAT, host="orion.lan:8080")

    for answer in (own, program):
        assert answer.status == 200
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/api/tags", "/health", "/v1/nodes"])
async def test_looking_is_not_refused_but_foreign_pages_do_not_see(path: str) -> None:
    """A GET changes nothing, and the browser keeps its answer from the page."""
    async with client() as c:
        foreign = await c.get(path, origin=EVIL)
        local = await c.get(path, origin="http://localhost:3000")

    assert (foreign.status, local.status) == (200, 200)
    assert "access-control-allow-origin" not in foreign.headers
    assert local.headers["access-control-allow-origin"] == "http://localhost:3000"


async def test_streams_and_errors_can_be_seen_by_allowed_pages() -> None:
    """Else a page could not tell a refusal from a broken connection."""
    async with client(FakeDesk()) as c:
        wrong = await c.post("/v1/chat/completions", b"{", origin="http://localhost")
        missing = await c.get("/nowhere", origin="http://localhost")

    assert (wrong.status, missing.status) == (400, 404)
    for answer in (wrong, missing):
        assert answer.headers["access-control-allow-origin"] == "http://localhost"


@pytest.mark.parametrize(
    ("flag", "allowed", "refused"),
    [
        ("http://webui.lan:3000", ["http://webui.lan:3000"], ["http://webui.lan", EVIL]),
        ("https://*.example.org", ["https://a.example.org"], ["https://example.org", EVIL]),
        ("http://webui.lan:*, HTTP://B/", ["http://webui.lan:1", "http://b"],
         ["http://webui.lan", "http://b.evil.example"]),
        ("http://10.0.0.*", ["http://10.0.0.7"], ["http://10.0.0.7:80", "http://10.0.0.7/x"]),
        ("chrome-extension://*", ["chrome-extension://abc"], [EVIL]),
        ("*", [EVIL, "null"], []),
        ("", [], [EVIL]),
    ],
)  # fmt: skip
def test_more_origins_by_flag(flag: str, allowed: list[str], refused: list[str]) -> None:
    """Or by ORION_ORIGINS; those of this computer stay."""
    settings = Settings.read(["--origins", flag], {})
    assert settings.origins == Settings.read([], {"ORION_ORIGINS": flag}).origins
    origins = Origins.allowing(settings.origins)

    def status(origin: str) -> int:
        scope = {"method": "POST", "headers": [(b"host", b"pi:8080")]}
        return origins.judge(origin.encode(), scope).status

    assert [status(each) for each in [*allowed, *LOCAL]] == [0] * (len(allowed) + len(LOCAL))
    assert [status(each) for each in refused] == [403] * len(refused)


@pytest.mark.parametrize("flag", ["webui.lan", "http://", "http://a b", "http://a/b", "://a"])
def test_what_is_no_origin_is_refused_at_the_start(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A typing error must not look like a rule."""
    with pytest.raises(SystemExit):
        Settings.read(["--origins", flag], {})

    assert "is not an origin" in capsys.readouterr().err
    assert read_origins(" , ") == ()


@pytest.mark.parametrize("more", [(), ("*",)])
@pytest.mark.parametrize("second", ["http://localhost", EVIL])
def test_two_origins_are_none(second: str, more: tuple[str, ...]) -> None:
    """No browser sends two: whoever does wants one of them overlooked."""
    names = [(b"origin", b"http://localhost"), (b"host", b"pi"), (b"origin", second.encode())]
    scope = {"method": "POST", "headers": names}
    origin = origin_of(scope)
    assert origin is not None
    verdict = Origins.allowing(more).judge(origin, scope)

    assert (verdict.status, verdict.headers) == (403, [])
