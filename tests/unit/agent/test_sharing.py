"""Model sharing in parts: the proof, the folder, who fetches where, what is given to whom."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from orion_agent import sharing
from orion_agent.keeper_names import is_leftover
from orion_agent.settings import Settings
from orion_agent.sharing_door import LIVES_S, MOST, Door, derive, prove
from orion_agent.sharing_fetch import CopyFailed, Fetcher
from orion_agent.sharing_folder import Folder, Manifest, Missing, span_of
from orion_agent.sharing_peers import peer
from orion_agent.sharing_plan import Copy, Peer, Wait, source
from orion_agent.sharing_relay import Relay
from orion_agent.sharing_serve import Shop

KEY = derive("a secret of sufficient length")
FILE = bytes(range(256)) * 4096
NOW_S = 1000.0


def digest(data: bytes) -> str:
    """As manifests name files."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder as Ollama lays it out, with `tiny:1` and `me/mine:latest` of one file."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / digest(FILE).replace(":", "-")).write_bytes(FILE)
    layer = {"digest": digest(FILE), "size": len(FILE)}
    raw = orjson.dumps({"schemaVersion": 2, "config": layer, "layers": [layer]})
    for place in ("library/tiny/1", "me/mine/latest"):
        path = tmp_path / "manifests/registry.ollama.ai" / place
        path.parent.mkdir(parents=True)
        path.write_bytes(raw)
    return tmp_path


@pytest.fixture
def tiny(models: Path) -> Manifest:
    """The manifest of `tiny:1`."""
    return Folder(models).manifest("tiny:1")


# --- the proof ---------------------------------------------------------------------------------


def test_a_proof_holds_for_what_was_asked_and_nothing_else() -> None:
    """Another method, path, range, nonce or secret is another proof."""
    now = NOW_S
    door = Door(KEY, lambda: now)
    nonce = door.challenge()
    good = prove(KEY, nonce, "GET", "/a", "bytes=0-1")

    assert door.admits(good, "GET", "/a", "bytes=0-1")
    assert not door.admits(good, "HEAD", "/a", "bytes=0-1")
    assert not door.admits(good, "GET", "/b", "bytes=0-1")
    assert not door.admits(good, "GET", "/a", "bytes=0-2")
    assert not door.admits(prove(derive("b" * 32), nonce, "GET", "/a"), "GET", "/a")
    assert not door.admits(prove(KEY, "invented", "GET", "/a"), "GET", "/a")
    assert not door.admits("", "GET", "/a")
    assert not door.admits("\u00e4:\u00f6", "GET", "/a")
    now += LIVES_S + 1
    assert not door.admits(good, "GET", "/a", "bytes=0-1")


def test_a_door_remembers_only_so_many_nonces() -> None:
    """Asking costs us nothing that grows."""
    door = Door(KEY, lambda: NOW_S)
    first = door.challenge()
    for _ in range(MOST):
        door.challenge()
    assert not door.admits(prove(KEY, first, "GET", "/a"), "GET", "/a")


@pytest.mark.parametrize(
    ("change", "made"),
    [
        ({}, True), ({"share_models": "off"}, False), ({"secret": "short"}, False),
        ({"ollama_host": "http://10.0.0.7:11434"}, False), ({"http_host": "10.0.0.1"}, False),
    ],
)  # fmt: skip
def test_sharing_is_off_where_it_cannot_work_or_protect(change: dict[str, str], made: bool) -> None:
    """Off, a secret that can be guessed, an Ollama that does not share our loopback."""
    secret = change.pop("secret", "a secret of sufficient length")
    settings = Settings(node_id="a", **{"share_models": "on", **change})  # type: ignore[arg-type]
    unused: Any = None

    assert (sharing.make(settings, secret, unused, 8081) is not None) is made


# --- the folder --------------------------------------------------------------------------------


def test_manifests_and_files_are_found_by_name_and_digest(models: Path) -> None:
    """With and without namespace, tag and registry."""
    folder = Folder(models)
    assert folder.readable
    names = ("tiny:1", "library/tiny:1", "registry.ollama.ai/library/tiny:1", "me/mine")
    digests = {folder.manifest(name).digest for name in names}
    path, size = folder.blob(digest(FILE))

    assert len(digests) == 1
    assert (path.read_bytes(), size) == (FILE, len(FILE))


@pytest.mark.parametrize(
    "name", ["nope:1", "a/../../x:1", "../../../../etc/passwd", "a/b/c/d", "tiny:..", "", "a//b"]
)
def test_no_name_leads_out_of_the_folder(models: Path, name: str) -> None:
    """Nor to what is not there."""
    with pytest.raises(Missing):
        Folder(models).manifest(name)


@pytest.mark.parametrize("name", ["sha256:../../etc", "sha256:" + "0" * 64, "md5:0", ""])
def test_no_digest_leads_out_of_the_folder(models: Path, name: str) -> None:
    """Nor to what is not there."""
    with pytest.raises(Missing):
        Folder(models).blob(name)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"config": {}, "layers": []}', b"\xff"])
def test_what_is_no_manifest_is_refused(models: Path, raw: bytes) -> None:
    """Whatever lies under the name."""
    (models / "manifests/registry.ollama.ai/library/tiny/1").write_bytes(raw)
    with pytest.raises(Missing):
        Folder(models).manifest("tiny:1")


@given(st.text(alphabet="bytes=0123456789-, ", max_size=30), st.integers(0, 1000))
def test_a_range_lies_within_the_file_or_makes_no_sense(header: str, size: int) -> None:
    """Any text."""
    span = span_of(header, size)
    assert span is None or 0 <= span[0] <= span[1] <= size


def test_ranges() -> None:
    """As Ollama asks for parts."""
    assert span_of("bytes=10-19", 100) == (10, 20)
    assert span_of("bytes=90-", 100) == (90, 100)
    assert span_of("bytes=90-200", 100) == (90, 100)
    assert span_of("", 100) == (0, 100)
    assert span_of("bytes=100-", 100) is None


# --- who fetches where -------------------------------------------------------------------------


def boards(**more: Peer) -> dict[str, Peer]:
    """By name."""
    return more


def test_a_board_that_has_it_is_asked_the_least_busy_first() -> None:
    """One that shares nothing, or from which a copy failed, is not."""
    free = Peer("b", "http://b:1", {"m:1": "d"})
    busy = Peer("c", "http://c:1", {"m:1": "d"}, running=2)
    mute = Peer("d", "", {"m:1": "d"})

    assert source("m:1", "a", ["a"], boards(b=free, c=busy, d=mute)) == Copy(free, "d")
    assert source("m:1", "a", ["a"], boards(b=free, c=busy), avoid={"b"}) == Copy(busy, "d")
    assert source("m:1", "a", ["a"], boards(d=mute)) is None


def test_the_first_board_of_the_placement_fetches_and_the_others_wait() -> None:
    """Unless it is gone, shares nothing, or has failed."""
    place, url = ["a", "b", "c"], "http://x:1"
    alive = boards(a=Peer("a", url), b=Peer("b", url), c=Peer("c", url))

    assert source("m:1", "a", place, {**alive}) is None
    assert source("m:1", "b", place, {**alive}) == Wait("a")
    assert source("m:1", "c", place, {**alive}) == Wait("a")
    assert source("m:1", "c", place, boards(b=Peer("b", url))) == Wait("b")
    tried = {**alive, "a": Peer("a", url, failed=frozenset({"m:1"}))}
    assert source("m:1", "b", place, tried) is None
    assert source("m:1", "c", place, tried) == Wait("b")
    assert source("m:1", "c", place, boards(a=Peer("a"), b=Peer("b"))) is None


@given(st.permutations(["a", "b", "c", "d"]), st.sets(st.sampled_from("abcd")),
       st.sets(st.sampled_from("abcd")))  # fmt: skip
def test_exactly_one_living_board_fetches(
    place: list[str], alive: set[str], failed: set[str]
) -> None:
    """Among those that see each other and have not failed; and nobody waits for itself."""
    seen = {n: Peer(n, "http://x:1", failed=frozenset({"m:1"} if n in failed else ()))
            for n in alive}  # fmt: skip
    found = {n: source("m:1", n, place, {k: v for k, v in seen.items() if k != n}) for n in alive}

    fetching = [n for n, s in found.items() if s is None and n not in failed]
    assert len(fetching) == (1 if alive - failed else 0)
    assert all(isinstance(s, Wait) and s.leader != n for n, s in found.items() if s is not None)


def test_reports_of_other_boards_are_read_with_care() -> None:
    """What has another shape counts as not said."""
    good = {
        "share_url": b'"http://10.0.0.7:8081"', "models": b'[{"name": "m:1", "digest": "d"}]',
        "running": b"1", "pulls": b'[{"model": "x", "state": "failed"}]',
    }  # fmt: skip
    assert peer("b", good) == Peer(
        "b", "http://10.0.0.7:8081", {"m:1": "d"}, 1, frozenset({"x:latest"})
    )
    for field, value in (
        ("share_url", b'"http://evil/../x"'), ("share_url", b'"file:///etc"'), ("models", b"{"),
        ("models", b"[1]"), ("running", b'"x"'), ("pulls", b"[{}]"), ("models", b"null"),
    ):  # fmt: skip
        assert peer("b", {**good, field: value}).url == ""
    assert peer("b", dict.fromkeys(good)) == Peer("b")


# --- over HTTP ---------------------------------------------------------------------------------


def wire(routes: Any, host: str = "127.0.0.1") -> httpx.ASGITransport:
    """A server, asked from this address."""
    return httpx.ASGITransport(Starlette(routes=routes), client=(host, 1234))


def shop(models: Path) -> Shop:
    """Gives this folder."""
    return Shop(Folder(models), Door(KEY, lambda: NOW_S), 1e12)


async def test_a_board_with_the_secret_gets_the_manifest_and_any_part(
    models: Path, tiny: Manifest
) -> None:
    """The nonce is asked for once."""
    gives = shop(models)
    fetcher = Fetcher("http://b", KEY, wire(gives.routes()))
    manifest = await fetcher.manifest("tiny:1", tiny.digest)
    parts: list[bytes] = []
    for span in ("bytes=0-99", f"bytes=100-{len(FILE) - 1}"):
        async with fetcher.blob(digest(FILE), span) as answer:
            assert answer.status_code == 206
            parts.append(await answer.aread())
    await fetcher.aclose()

    assert manifest.sizes == {digest(FILE): len(FILE)}
    assert b"".join(parts) == FILE
    assert gives.sent_bytes == len(FILE)


async def test_without_the_secret_there_is_nothing(models: Path) -> None:
    """Neither what is there nor whether it is there."""
    gives = shop(models)
    fetcher = Fetcher("http://b", derive("another secret, long enough"), wire(gives.routes()))
    for name in ("tiny:1", "nope:1"):
        with pytest.raises(CopyFailed, match="401: prove"):
            await fetcher.manifest(name, "d")
    await fetcher.aclose()

    assert gives.sent_bytes == 0


@pytest.mark.parametrize(
    ("name", "wanted", "word"),
    [("nope:1", "d", "404"), ("tiny:1", "0" * 64, "another tiny:1 than it reports")],
)
async def test_a_copy_of_something_else_is_no_copy(
    models: Path, name: str, wanted: str, word: str
) -> None:
    """Missing, or with another digest than the board reports."""
    fetcher = Fetcher("http://b", KEY, wire(shop(models).routes()))
    with pytest.raises(CopyFailed, match=word):
        await fetcher.manifest(name, wanted)
    await fetcher.aclose()


async def test_a_board_that_is_gone_is_told_so() -> None:
    """As a failure to copy."""
    fetcher = Fetcher("http://127.0.0.1:9", KEY)
    with pytest.raises(CopyFailed, match=r"http://127\.0\.0\.1:9"):
        await fetcher.manifest("tiny:1", "d")
    await fetcher.aclose()


async def test_the_relay_plays_a_registry_for_one_ticket_and_loopback_only(
    models: Path, tiny: Manifest
) -> None:
    """Manifest, sizes, the way to each file, its parts; and nothing when the ticket is gone."""
    fetcher = Fetcher("http://b", KEY, wire(shop(models).routes()))
    relay = Relay(8081)
    near = httpx.AsyncClient(transport=wire(relay.routes()), base_url="http://127.0.0.1:8081")
    far = httpx.AsyncClient(transport=wire(relay.routes(), "10.0.0.9"), base_url="http://x")
    async with near, far:
        with relay.open(tiny, fetcher) as reference:
            base, _, model = reference.removeprefix("http://127.0.0.1:8081/").partition("/")
            assert (model, is_leftover(reference.removeprefix("http://"))) == ("m:latest", True)
            blob = f"/v2/{base}/m/blobs/{digest(FILE)}"
            got = await near.get(f"/v2/{base}/m/manifests/latest")
            head, way = await near.head(blob), await near.get(blob)
            part = await near.get(
                way.headers["location"].removeprefix("http://localhost:8081"),
                headers={"range": "bytes=5-9"},
            )
            refused = [
                await far.get(f"/v2/{base}/m/manifests/latest"), await far.get(blob),
                await near.get(f"/v2/{base}/m/blobs/sha256:{'0' * 64}"),
                await near.get("/v2/orion-0000000000000000/m/manifests/latest"),
            ]  # fmt: skip
        refused.append(await near.get(blob))
    await fetcher.aclose()

    assert got.content == tiny.raw
    assert head.headers["content-length"] == str(len(FILE))
    assert way.status_code == 307
    assert (part.status_code, part.content) == (206, FILE[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(FILE)}"
    assert {answer.status_code for answer in refused} == {404}


async def test_the_relay_says_when_the_other_board_does_not_give_it(tiny: Manifest) -> None:
    """Ollama tries again, and gives up in the end."""
    gone = Fetcher("http://127.0.0.1:9", KEY)
    relay = Relay(8081)
    async with httpx.AsyncClient(transport=wire(relay.routes()), base_url="http://x") as near:
        with relay.open(tiny, gone) as reference:
            base = reference.split("/")[3]
            answer = await near.get(f"/relay/{base}/{digest(FILE)}")
    await gone.aclose()

    assert answer.status_code == 502
