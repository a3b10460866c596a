"""The worker's pure parts: gates, silence, rates, entries, chunks, calls, errors, settings."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import orjson
import pytest
from ollama import ResponseError

from orion_agent import calls
from orion_agent.engine import Done
from orion_agent.engine_errors import translate
from orion_agent.gates import Gates
from orion_agent.health import Identity, Seen, build
from orion_agent.ollama_engine import OllamaEngine
from orion_agent.outbox import Delta, Outbox
from orion_agent.rates import DEFAULT_PREFILL_RATE, Rates
from orion_agent.sensors import Sample, read_sample
from orion_agent.settings import read_settings
from orion_agent.stall import DEFAULT_LOAD_S, Silence, load_budget_s, prefill_budget_s
from orion_contracts import schema
from orion_contracts.config import Thresholds
from orion_contracts.entry_kinds import Direct, Doorbell, Garbage, kind_of
from orion_contracts.errors import (
    EngineCrashed,
    EngineError,
    EngineRefused,
    EngineRejected,
    EngineStalled,
)
from orion_contracts.health import Engine, NodeHealth, Progress

from .conftest import make_request


def report(celsius: float | None = None, ram_percent: float | None = None) -> NodeHealth:
    """A report with these two figures."""
    return NodeHealth(
        node="n", incarnation="i", timestamp="", engine=Engine(reachable=True),
        temperature_c=celsius, memory_total_bytes=None if ram_percent is None else 1000,
        memory_available_bytes=None if ram_percent is None else int(1000 - 10 * ram_percent),
    )  # fmt: skip


def test_gates_close_above_the_limit_and_open_below_the_return() -> None:
    """The customer's invariants, with hysteresis."""
    gates, limits = Gates(), Thresholds()
    for celsius, closed in ((75, False), (75.1, True), (71, True), (70, False), (74, False)):
        gates = gates.after(report(celsius), limits, 0)
        assert (gates.reasons == ("hot",)) is closed, celsius
    for percent, closed in ((90, False), (91, True), (86, True), (85, False)):
        gates = gates.after(report(60, percent), limits, 0)
        assert (gates.reasons == ("ram",)) is closed, percent


def test_an_unknown_temperature_closes_only_when_it_was_known() -> None:
    """Never readable: open. Lost for more than 15 s: closed, until it is back."""
    limits = Thresholds()
    assert not Gates().after(report(), limits, 100).reasons
    seen = Gates().after(report(50), limits, 0)
    assert not seen.after(report(), limits, 15).reasons
    lost = seen.after(report(), limits, 15.1)
    assert lost.reasons == ("blind",)
    assert not lost.after(report(50), limits, 16).reasons


def test_silence_is_measured_from_the_last_sign_of_progress() -> None:
    """Prompt length and the measured rate stretch the budget; a token renews it."""
    assert prefill_budget_s(10, 100, 50) == 16
    assert load_budget_s(0) == DEFAULT_LOAD_S
    assert load_budget_s(2_000_000_000) == 130
    silence = Silence(0, 16)
    assert silence.left_s(15) == 1
    silence.expect(15, 30)
    assert silence.left_s(46) == -1


def test_a_cache_hit_does_not_shorten_the_budget() -> None:
    """Cached prompt tokens look infinitely fast: the slowest sample judges a silence."""
    rates = Rates()
    assert rates.prefill_floor("m") == DEFAULT_PREFILL_RATE
    rates.learn("m", prompt_tokens=100, prompt_s=2.0, output_tokens=10, output_s=2.0)
    rates.learn("m", prompt_tokens=2000, prompt_s=0.001)
    assert rates.prefill_floor("m") == 50
    wire = rates.to_wire()["m"]
    assert wire["prefill_tokens_per_second"] == 50
    assert wire["decode_tokens_per_second"] == 5


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({b"id": b"a", b"token": b"1:x:a"}, Doorbell("a", "1:x:a")),
        ({b"payload": b"{}"}, Direct(b"{}")),
        ({b"data": b"{}", b"id": b"a"}, Direct(b"{}")),
        ({b"id": b"\xff", b"token": b"x"}, Garbage),
        ({}, Garbage),
    ],
)
def test_entries(fields: dict[bytes, bytes], expected: object) -> None:
    """Told apart by their fields' names."""
    found = kind_of(fields)
    assert isinstance(found, expected) if isinstance(expected, type) else found == expected


def test_chunks_keep_the_tokens_and_count_from_one() -> None:
    """Valid chunks; the first one tells residency and queueing, an empty outbox says nothing."""
    outbox = Outbox(make_request().request_id, 2, "test", stream=True)
    assert outbox.take_chunk("warm", 7) == b""
    for text in ("He", "llo", ' "x"\n'):
        outbox.add({"content": text})
    first = orjson.loads(outbox.take_chunk("warm", 7))
    outbox.add({"thinking": "hm"})
    second = orjson.loads(outbox.take_chunk("warm", 7))
    for chunk in (first, second):
        schema.check("chunk", chunk)
    assert [d["content"] for d in first["deltas"]] == ["He", "llo", ' "x"\n']
    assert (first["seq"], first["residency"], first["queue_ms"]) == (1, "warm", 7)
    assert (second["seq"], second["deltas"], "residency" in second) == (
        2,
        [{"thinking": "hm"}],
        False,
    )
    assert (outbox.text, outbox.thinking) == ('Hello "x"\n', "hm")


def test_calls_always_limit_the_answer() -> None:
    """A request that names no num_predict gets one; one that does keeps it."""
    assert calls.chat(make_request(), 100)["options"] == {"num_predict": 100}
    given = make_request(options={"num_predict": 5, "min_p": 0.1})
    assert calls.chat(given, 100)["options"] == {"num_predict": 5, "min_p": 0.1}
    assert calls.chat(make_request(keep_alive_seconds=0), 100)["keep_alive"] == 0
    assert calls.load(make_request(options={"num_ctx": 1, "seed": 2}), 60)["options"] == {
        "num_ctx": 1
    }


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (ResponseError('{"error":"model \'x\' not found"}', 404), EngineRejected),
        (ResponseError('{"error":"does not support tools"}', 400), EngineRejected),
        (ResponseError('{"error":"server busy, please try again."}', 503), EngineRefused),
        (
            ResponseError('{"error":"model requires more system memory (1 GiB)"}', 500),
            EngineRefused,
        ),
        (ResponseError('{"error":"llama-server process has terminated"}', 500), EngineCrashed),
        (ResponseError("in mid-stream"), EngineCrashed),
        (ConnectionError("refused"), EngineRefused),
        (httpx.ConnectError("refused"), EngineRefused),
        (httpx.ConnectTimeout("slow"), EngineRefused),
        (httpx.ReadTimeout("silent"), EngineStalled),
        (httpx.RemoteProtocolError("cut"), EngineCrashed),
        (httpx.ReadError("reset"), EngineCrashed),
        (json.JSONDecodeError("half", "{", 1), EngineCrashed),
        (RuntimeError("anything"), EngineCrashed),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value)[:40],
)
def test_every_failure_has_its_error(seen: Exception, expected: type[EngineError]) -> None:
    """The failure modes of Ollama and of its client."""
    assert type(translate(seen, began=False)) is expected


def lines(*parts: object) -> httpx.MockTransport:
    """An Ollama that streams these JSON lines."""
    body = b"".join(orjson.dumps(part) + b"\n" for part in parts)
    return httpx.MockTransport(lambda _: httpx.Response(200, content=body))


async def run(transport: httpx.MockTransport, **fields: object) -> list[Delta | Done]:
    """Everything that the engine yields for a request."""
    engine = OllamaEngine("http://ollama", 10, transport)
    try:
        return [part async for part in engine.run(make_request(**fields))]
    finally:
        await engine.aclose()


async def test_the_engine_yields_tokens_and_done() -> None:
    """The official client's parts, with Ollama's own figures."""
    token = {"model": "m", "message": {"role": "assistant", "content": "Hi"}, "done": False}
    end = {
        "model": "m", "message": {"role": "assistant", "content": ""}, "done": True,
        "done_reason": "stop", "prompt_eval_count": 4, "eval_count": 1,
        "eval_duration": 500_000_000,
    }  # fmt: skip
    parts = await run(lines(token, end))
    assert parts == [{"content": "Hi"}, Done("stop", 4, 1, output_s=0.5)]


async def test_an_end_without_done_is_a_crash() -> None:
    """The client only stops iterating."""
    token = {"model": "m", "message": {"role": "assistant", "content": "Hi"}, "done": False}
    with pytest.raises(EngineCrashed, match="done"):
        await run(lines(token))


async def test_ids_of_tool_calls_are_kept() -> None:
    """The official client drops them, so such requests go without it."""
    call = {"id": "call_1", "function": {"name": "f", "arguments": {"a": 1}}}
    end = {"message": {"role": "assistant", "content": "", "tool_calls": [call]}, "done": True}
    parts = await run(lines(end), tools=({"type": "function", "function": {"name": "f"}},))
    assert parts[0] == {"tool_calls": [call]}


async def test_an_image_that_is_a_path_is_never_opened(tmp_path: Path) -> None:
    """The official client would read the file and send it to the model."""
    secret = tmp_path / "secret.txt"
    secret.write_text("the password")
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return httpx.Response(200, content=b'{"done":true,"message":{"content":""}}\n')

    message = {"role": "user", "content": "look", "images": [str(secret)]}
    engine = OllamaEngine("http://ollama", 10, httpx.MockTransport(answer))
    from dataclasses import replace

    request = replace(make_request(), messages=(message,))
    _ = [part async for part in engine.run(request)]
    await engine.aclose()
    assert orjson.loads(sent[0])["messages"][0]["images"] == [str(secret)]


async def test_a_field_of_the_wrong_type_is_the_callers_fault() -> None:
    """The client refuses to send it: no board will do better."""
    with pytest.raises(EngineRejected):
        await run(lines(), think="loudly", format=7)


def test_sensors_read_a_board(tmp_path: Path) -> None:
    """A Raspberry Pi's files below a root of our own."""
    files = {
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": "61234",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50005",
        "proc/meminfo": "MemTotal: 8000 kB\nMemFree: 1 kB\nMemAvailable: 2000 kB\n",
        "proc/pressure/memory": "some avg10=1.50 avg60=0 avg300=0 total=1\n",
        "proc/loadavg": "2.50 1.0 0.5 1/100 42",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    sample = read_sample(tmp_path)
    assert sample.temperature_c == 61.2
    assert (sample.throttled, sample.under_voltage) == (True, True)
    assert (sample.memory_total_bytes, sample.memory_available_bytes) == (8_192_000, 2_048_000)
    assert (sample.memory_pressure_some_percent, sample.load_1m) == (1.5, 2.5)


@pytest.mark.parametrize("text", ["", "hot", "-1e9", "999999999"])
def test_a_strange_temperature_is_unknown(tmp_path: Path, text: str) -> None:
    """Never an error, never a fantastic number."""
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text(text)
    assert read_sample(tmp_path).temperature_c is None
    assert read_sample(tmp_path / "nowhere").memory_total_bytes is None


def test_settings_come_from_flags_and_environment() -> None:
    """A flag wins over its variable; a value that makes no sense ends with a message."""
    environ = {"ORION_NODE_ID": "pi-2", "ORION_HTTP_PORT": "9000"}
    settings = read_settings(["--http-port", "9001"], environ)
    assert (settings.node_id, settings.http_port, settings.slots) == ("pi-2", 9001, 1)
    for wrong in (["--node-id", "a b"], ["--slots", "0"], ["--ollama-host", "ftp://x"]):
        with pytest.raises(SystemExit):
            read_settings(wrong, {})


def test_a_report_tells_of_no_more_requests_than_slots() -> None:
    """And of the prompt cache what the worker was told: nothing, none, or so much."""
    progress = tuple(Progress(request_id=str(i)) for i in range(3))
    seen = Seen(Engine(reachable=True), 3, (), (), (), {}, progress=progress)

    def report(cache_bytes: int | None) -> NodeHealth:
        who = Identity("pi-1", "life-1", 2, "8gb", cache_bytes)
        return build(who, Sample(), seen, seq=1, timestamp="t", known_before=False)

    assert report(None).progress == progress[:2]
    assert [report(n).prompt_cache_bytes for n in (None, 0, 7)] == [None, 0, 7]
    assert read_settings([], {"ORION_PROMPT_CACHE_MIB": "256"}).prompt_cache_mib == 256
    assert read_settings([], {}).prompt_cache_mib is None
