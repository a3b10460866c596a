"""Small values: meta, keys, classes, flags, stamps, and the store's address."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from redis import exceptions

import orion_agent.settings
import orion_operator.settings
import orion_router.settings
from orion_contracts import keys
from orion_contracts.address import read_password, store_url
from orion_contracts.classes import GIB, classify
from orion_contracts.entries import Refusal, read_cancel, read_entry
from orion_contracts.entry_kinds import Garbage, kind_of
from orion_contracts.errors import (
    EngineError,
    InvalidRequest,
    Misconfigured,
    OrionError,
    Unavailable,
)
from orion_contracts.flags import Flags, bounded_int, port, positive_float, variable
from orion_contracts.ledger import VERSION, is_lasting, library_source
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import Meta, describe
from orion_contracts.spelling import whole
from orion_contracts.stamp import iso
from orion_contracts.store import connect

metas = st.builds(
    Meta,
    model=st.text(min_size=1), source=st.text(), priority=st.sampled_from(["interactive", "batch"]),
    session=st.text(), input_tokens=st.integers(0, 10**6), output_tokens=st.integers(0, 10**6),
    deadline_ms=st.none() | st.integers(1, 10**6), num_ctx=st.none() | st.integers(1, 10**6),
    pin=st.text(),
)  # fmt: skip


@given(metas)
def test_meta_survives_the_store(meta: Meta) -> None:
    """What a planner reads is what admission wrote."""
    assert Meta.from_bytes(meta.to_bytes()) == meta


def test_meta_of_a_newer_version_is_readable() -> None:
    """Unknown fields are ignored."""
    assert Meta.from_bytes(b'{"model":"m","invented_later":1}') == Meta(model="m")


def test_meta_holds_no_prompt() -> None:
    """Planning facts only."""
    request = InferenceRequest(
        request_id="i", model="m", timestamp="t", source="s",
        messages=({"role": "user", "content": "my secret " * 100},),
        options={"num_predict": 7, "num_ctx": 2048},
    )  # fmt: skip
    meta = describe(request, pin="pi-a")

    assert b"secret" not in meta.to_bytes()
    assert (meta.input_tokens, meta.output_tokens, meta.num_ctx) == (251, 7, 2048)
    assert meta.pin == "pi-a"


def test_an_embedding_is_expected_to_write_next_to_nothing() -> None:
    """Whatever limit came with it: a plan would reckon with an answer's length otherwise."""
    request = InferenceRequest(
        request_id="i", model="m", timestamp="t", source="s", operation="embed",
        messages=({"role": "user", "content": "x"},), options={"num_predict": 700},
    )  # fmt: skip

    assert describe(request).output_limit == 1
    assert describe(replace(request, operation="chat")).output_limit == 700


@pytest.mark.parametrize(
    ("asked", "read"), [(16384, 16384), (16384.0, 16384), (16384.5, None), (True, None), (-1, None)]
)
def test_a_context_is_a_whole_number(asked: object, read: int | None) -> None:
    """As JSON writes it, with a point or without; what is none is as if nothing was asked for."""
    request = InferenceRequest(
        request_id="i", model="m", timestamp="t", source="s", messages=({"content": "x"},),
        options={"num_ctx": asked},
    )  # fmt: skip

    assert describe(request).num_ctx == read


@pytest.mark.parametrize("hostile", [{"num_predict": "x"}, {"num_predict": -1}, {"num_ctx": []}])
def test_meta_of_hostile_options_is_harmless(hostile: dict[str, object]) -> None:
    """Options are the engine's to judge, not a reason to fail a plan."""
    request = InferenceRequest(
        request_id="i", model="m", timestamp="t", source="s", messages=({"content": None},),
        options=hostile,
    )  # fmt: skip

    assert describe(request).output_tokens > 0


def test_every_key_is_under_the_prefix_and_its_own() -> None:
    """One prefix, no two meanings for one key."""
    made = [f("x") for f in (
        keys.node_requests, keys.node_health, keys.alive, keys.drain, keys.inflight, keys.record,
        keys.responses, keys.mailbox,
    )]  # fmt: skip
    fixed = [v for k, v in vars(keys).items() if k.isupper() and isinstance(v, str)]
    names = [n for n in made + fixed if n.startswith(keys.PREFIX) and n != keys.PREFIX]

    assert all(n.startswith(keys.PREFIX) for n in made)
    assert len(names) == len(set(names))


def test_the_library_spells_keys_as_the_module_does() -> None:
    """The Lua source repeats the prefix and names its version once."""
    source = library_source()

    assert f"local P = '{keys.PREFIX}'" in source
    assert source.startswith("#!lua name=orion\n")
    assert source.count("#!lua") == 1
    assert f"local VERSION = {VERSION}\n" in source


@pytest.mark.parametrize(
    ("memory", "name"),
    [(16 * GIB, "16gb"), (15.6 * GIB, "16gb"), (8 * GIB, "8gb"), (7.6 * GIB, "8gb"),
     (4 * GIB, "excluded"), (3.7 * GIB, "excluded"), (0, "excluded")],
)  # fmt: skip
def test_boards_are_classed_by_what_the_kernel_reports(memory: float, name: str) -> None:
    """16 GB: router and worker; 8 GB: worker; 4 GB: excluded."""
    found = classify(int(memory))

    assert found.name == name
    assert found.roles == {"16gb": ("router", "worker"), "8gb": ("worker",), "excluded": ()}[name]


@pytest.mark.parametrize(
    ("address", "url"),
    [("pi:6380", "redis://pi:6380/0"), ("pi", "redis://pi:6379/0"),
     ("redis://pi:1/2", "redis://pi:1/2"), ("rediss://pi", "rediss://pi"),
     ("unix:///run/x", "unix:///run/x")],
)  # fmt: skip
def test_store_address(address: str, url: str) -> None:
    """host:port, a bare host, or a URL."""
    assert store_url(address) == url


@pytest.mark.parametrize(
    "address",
    ["", ":6379", "pi:", "pi:x", "http://pi:1", "pi:6379x", "foo bar", "pi\n:6379", "pi:70000",
     "pi:0", "redis://pi:x/0", "redis://p i:1/0", "redis://pi:99999"],
)  # fmt: skip
def test_wrong_store_address_names_the_flag(address: str) -> None:
    """With the remedy."""
    with pytest.raises(Misconfigured, match="--redis-addr"):
        store_url(address)


def test_password_comes_from_the_file_if_named(tmp_path: Path) -> None:
    """Trailing newline removed; a missing file is told by its flag."""
    file = tmp_path / "password"
    file.write_text("secret\n")

    assert read_password("other", str(file)) == "secret"
    assert read_password("plain", "") == "plain"
    with pytest.raises(Misconfigured, match="--redis-password-file"):
        read_password("", str(tmp_path / "none"))


@pytest.mark.parametrize(
    "argv", [("--redis-addr", "foo bar"), ("--redis-password-file", "/none")], ids=str
)
@pytest.mark.parametrize(
    "read",
    [orion_agent.settings.read_settings, orion_operator.settings.read_settings,
     orion_router.settings.Settings.read],
)  # fmt: skip
def test_a_store_that_cannot_be_meant_ends_the_program_with_status_2(
    read: Callable[..., object], argv: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the flag, as for every value that makes no sense."""
    with pytest.raises(SystemExit) as ended:
        read([*argv], {})
    assert ended.value.code == 2
    assert f"error: {argv[0]} " in capsys.readouterr().err


def test_a_password_in_a_wrong_address_is_not_told() -> None:
    """The error goes to a log."""
    for address in ("http://:hunter2@pi:1", "redis://:hunter2@pi:x"):
        with pytest.raises(Misconfigured) as told:
            store_url(address)
        assert "hunter2" not in str(told.value)


def test_password_is_not_shown() -> None:
    """Neither by repr of the client nor in an address of ours."""
    assert "hunter2" not in repr(connect("pi:6379", "hunter2"))


def test_flag_wins_over_variable_over_default() -> None:
    """And an empty variable is none."""

    def parse(environ: dict[str, str], *argv: str) -> int:
        flags = Flags("p", "d", environ)
        flags.add("--http-port", "port", 8080, port)
        return int(flags.parse(list(argv)).http_port)

    assert variable("--http-port") == "ORION_HTTP_PORT"
    assert parse({}) == 8080
    assert parse({"ORION_HTTP_PORT": ""}) == 8080
    assert parse({"ORION_HTTP_PORT": "1"}) == 1
    assert parse({"ORION_HTTP_PORT": "1"}, "--http-port", "2") == 2


@pytest.mark.parametrize("value", ["x", "-1", "65536", "1.5"])
def test_wrong_variable_ends_with_its_name(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2 and a message, never a traceback."""
    flags = Flags("p", "d", {"ORION_HTTP_PORT": value})
    with pytest.raises(SystemExit) as caught:
        flags.add("--http-port", "port", 8080, port)

    assert caught.value.code == 2
    assert "ORION_HTTP_PORT" in capsys.readouterr().err


def test_numbers_have_bounds() -> None:
    """Told in words."""
    assert bounded_int(1, 3)("2") == 2
    assert positive_float("0.5") == 0.5
    for text in ("0", "nan", "inf", "-1", "x"):
        with pytest.raises(argparse.ArgumentTypeError):
            positive_float(text)


def test_stamps_are_rfc_3339_with_milliseconds() -> None:
    """In UTC."""
    assert iso(1_700_000_000.5) == "2023-11-14T22:13:20.500Z"


def test_errors_have_distinct_codes_by_family() -> None:
    """Machine-readable codes are stable; 4xx for the caller, 5xx for us."""

    def below(kind: type[OrionError]) -> list[type[OrionError]]:
        return [kind, *(k for sub in kind.__subclasses__() for k in below(sub))]

    ours = [k for k in below(OrionError) if k.__module__ == OrionError.__module__]
    codes = [k.code for k in ours]
    assert len(codes) == len(set(codes))
    assert all(400 <= k.http_status < 500 for k in below(InvalidRequest))
    assert all(k.http_status >= 500 for k in (*below(Unavailable), *below(EngineError)))


WITHIN = "script: on @user_function:46."
LASTING = (
    f"WRONGTYPE Operation against a key holding the wrong kind of value {WITHIN}",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    f"value is not an integer or out of range {WITHIN}",
    f"user_function:632: orion: beat takes 3 arguments {WITHIN}",
    f"user_function:330: attempt to perform arithmetic on a nil value {WITHIN}",
    "hash value is not an integer script: orion_release, on @user_function:297.",
)
PASSING = (
    "Function not found",
    "unknown command 'FCALL', with args beginning with: ",
    "NOREPLICAS Not enough good replicas to write.",
    f"MISCONF Errors writing to the AOF file: No space left on device {WITHIN}",
    "BUSY Redis is busy running a script.",
    f"ACL failure in script: User u has no permissions to run the 'hget' command {WITHIN}",
    f"The user executing the script can't run this command or subcommand {WITHIN}",
    "NOGROUP No such key",
)


def test_an_error_is_the_stores_or_the_calls() -> None:
    """In the words of Redis 7 and 8, Valkey 9 and redis-py; only the call's own lasts."""
    for text in LASTING:
        assert is_lasting(exceptions.ResponseError(text)), text
    for text in PASSING:
        assert not is_lasting(exceptions.ResponseError(text)), text
    for kind in (
        exceptions.ConnectionError, exceptions.TimeoutError, exceptions.BusyLoadingError,
        exceptions.OutOfMemoryError, exceptions.ReadOnlyError, exceptions.NoPermissionError,
        exceptions.AuthenticationError, OSError,
    ):  # fmt: skip
        assert not is_lasting(kind(f"user_function:1: {WITHIN}")), kind


@given(
    st.binary(max_size=40) | st.text(max_size=20).map(lambda t: t.encode("utf-8", "replace")),
    st.integers(1, 24),
)
def test_a_sample_is_text_that_ends_with_a_whole_character(raw: bytes, most: int) -> None:
    """Of text: a beginning of it, at most three bytes short; of other bytes: text as well."""
    kept = whole(raw, most)
    assert len(kept) <= most
    said = kept.decode()
    try:
        raw.decode()
    except UnicodeDecodeError:
        return
    assert raw.startswith(kept)
    assert len(kept) > min(len(raw), most) - 4
    assert "\ufffd" not in said or "\ufffd".encode() in raw


def test_every_sample_of_an_entry_is_text() -> None:
    """Cut in mid-character, or no UTF-8 from the beginning."""
    umlauts = ("x" + "ä" * 400).encode()
    fields: dict[bytes, bytes] = {umlauts: umlauts, b"\xff\xfe": b"\xff"}
    garbage = kind_of(fields)
    assert isinstance(garbage, Garbage)
    refusals = (
        read_entry(fields, "s"), read_entry({b"payload": umlauts}, "s"),
        read_entry({b"payload": b"\xff" * 600}, "s"), read_cancel({**fields, b"type": b"cancel"}),
    )  # fmt: skip
    for refusal in refusals:
        assert isinstance(refusal, Refusal)
        assert 0 < len(refusal.sample) <= 512
        refusal.sample.decode()
    garbage.sample.decode()
