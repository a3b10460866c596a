"""The other commands against a running `orion up` with canned tokens."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from integration.cli.cli_harness import Up, wait_until
from orion_contracts import schema
from orion_contracts.errors import InvalidRequest

MODEL = "smollm2:135m"


def request(**changes: Any) -> str:
    """A producer's JSON."""
    asked = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hello"}],
        "options": {"num_predict": 12},
    }
    return json.dumps({**asked, **changes})


def test_up_says_where_to_point_clients_and_shows_the_excluded_board(canned_up: Up) -> None:
    """Address, a line for each kind of client, and pi-4gb with the reason; no colours in a pipe."""
    said = canned_up.said
    assert f"at {canned_up.url}" in said
    for line in (f"OLLAMA_HOST={canned_up.url}", f"{canned_up.url}/v1", "/api/chat -d", "redis://"):
        assert line in said
    (row,) = [line for line in said.splitlines() if line.strip().startswith("pi-4gb")]
    assert "excluded" in row
    assert "4 GB" in row
    assert "canned tokens" in said
    assert "\x1b" not in said


def test_everything_listens_on_loopback_only(canned_up: Up) -> None:
    """No port of it can be reached from another computer."""
    import psutil

    seen = 0
    for name, pid in canned_up.run.pids.items():
        for connection in psutil.Process(pid).net_connections():
            if connection.status == psutil.CONN_LISTEN:
                seen += 1
                assert connection.laddr.ip == "127.0.0.1", name
    assert seen >= 7


def test_chat_streams_to_standard_output(canned_up: Up) -> None:
    """The model need not be named; who answered is told on standard error."""
    said = canned_up.orion("chat", "Hello", "--max-tokens", "12")
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.split()) >= 5
    assert "pi-" in said.stderr
    assert "tokens/s" in said.stderr
    assert "\x1b" not in said.stdout + said.stderr


def test_chat_reads_the_prompt_from_a_pipe(canned_up: Up) -> None:
    """With - and without."""
    assert canned_up.orion("chat", "-", "--max-tokens", "3", stdin="Hello").returncode == 0
    assert canned_up.orion("chat", "--max-tokens", "3", stdin="Hello").returncode == 0
    assert canned_up.orion("chat", stdin="").returncode == 2


def test_chat_with_an_unknown_model(canned_up: Up) -> None:
    """Ollama's own words and the remedy."""
    said = canned_up.orion("chat", "Hello", "--model", "nowhere:1b")
    assert said.returncode == 1
    assert "model 'nowhere:1b' not found" in said.stderr
    assert "ollama pull" in said.stderr


def test_submit_prints_the_final(canned_up: Up) -> None:
    """A valid InferenceResponse on standard output; what was filled in on standard error."""
    said = canned_up.orion("submit", "-", stdin=request())
    assert said.returncode == 0, said.stderr
    final = json.loads(said.stdout)
    schema.check("inference.response", final)
    assert final["status"] == "completed"
    assert final["completion_tokens"] == 12
    assert "filled in: version = 1.0, request_id = " in said.stderr


def test_submit_streams_and_repeats(canned_up: Up) -> None:
    """Tokens on standard error as they come; the same id again gives the same final."""
    asked = request(
        stream=True,
        request_id=str(uuid.uuid4()),
        timestamp="2026-01-01T00:00:00Z",
        source="test",
        version="1.0",
    )
    first = canned_up.orion("submit", "-", stdin=asked)
    again = canned_up.orion("submit", "-", stdin=asked)
    assert first.returncode == 0, first.stderr
    final = json.loads(first.stdout)
    assert final["response"].strip() in first.stderr
    assert json.loads(again.stdout) == final


def test_submit_to_a_callback_of_ones_own(canned_up: Up) -> None:
    """Only what comes after the request is read: the stream may be old."""
    callback = f"test:{uuid.uuid4()}"
    ids = [
        json.loads(canned_up.orion("submit", "-", stdin=request(callback=callback)).stdout)
        for _ in range(2)
    ]
    assert ids[0]["request_id"] != ids[1]["request_id"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [({"model": 7}, "model"), ({"messages": []}, "messages"), ({"request_id": "x"}, "request_id")],
)
def test_submit_tells_why_a_request_is_refused(
    canned_up: Up, changes: dict[str, Any], text: str
) -> None:
    """Sent as it is: the intake's verdict comes back, also where there is no callback for it."""
    said = canned_up.orion("submit", "-", "--wait-s", "20", stdin=request(**changes))
    assert said.returncode != 0
    assert text in said.stderr
    if said.stdout:
        schema.check("inference.response", json.loads(said.stdout))


def test_submit_gives_up_and_says_that_the_request_is_kept(canned_up: Up) -> None:
    """No final in time is exit code 4, and the request lives on."""
    asked = request(request_id=str(uuid.uuid4()), options={"num_predict": 300})
    said = canned_up.orion("submit", "-", "--wait-s", "0.05", stdin=asked)
    assert said.returncode == 4, said.stdout
    assert "kept" in said.stderr


def test_status_for_people_and_programs(canned_up: Up) -> None:
    """The boards, the excluded one among them; JSON with --json."""
    table = canned_up.orion("status")
    assert table.returncode == 0, table.stderr
    for text in ("pi-16gb", "pi-8gb", "pi-4gb", "excluded", "of 2 boards take work"):
        assert text in table.stdout
    document = json.loads(canned_up.orion("status", "--json").stdout)
    assert {node["name"] for node in document["nodes"]} == {"pi-16gb", "pi-8gb"}
    assert document["excluded"][0]["name"] == "pi-4gb"


def test_doctor_finds_nothing_wrong(canned_up: Up) -> None:
    """Every subject is looked at; after the refusals above there may be dead letters."""
    said = canned_up.orion("doctor", "--json")
    findings = {f["subject"]: f for f in json.loads(said.stdout)}
    assert said.returncode == 0, findings
    subjects = {"store", "durability", "eviction", "ledger", "planner", "boards", "schema"}
    assert subjects <= findings.keys()
    bad = {s: f for s, f in findings.items() if f["level"] != "ok" and s != "dead letters"}
    assert not bad


def test_doctor_sees_what_is_wrong(canned_up: Up) -> None:
    """A health hash that breaks its schema, and a store that was told to forget."""
    import redis

    run = canned_up.run
    with redis.Redis.from_url(
        f"redis://:{run.redis_password}@{run.redis_addr}", decode_responses=True
    ) as store:
        store.sadd("orion:inference:nodes", "broken")
        store.hset("orion:inference:node:broken", "slots", '"many"')
        store.config_set("maxmemory-policy", "allkeys-lru")
        try:
            said = canned_up.orion("doctor")
        finally:
            store.config_set("maxmemory-policy", "noeviction")
            store.srem("orion:inference:nodes", "broken")
            store.delete("orion:inference:node:broken")
    assert said.returncode == 1
    assert "FAIL  eviction" in said.stdout
    assert "CONFIG SET maxmemory-policy noeviction" in said.stdout
    assert "orion:inference:node:broken" in said.stdout


def test_drain_and_back(canned_up: Up) -> None:
    """A drained board gets nothing, says so in the table, and comes back."""
    assert canned_up.orion("drain", "pi-16gb").returncode == 0
    try:
        wait_until(lambda: "draining" in canned_up.orion("status").stdout, "it drains", 15.0)
        for _ in range(2):
            said = canned_up.orion("chat", "Hello", "--max-tokens", "3")
            assert said.stderr.startswith("pi-8gb"), said.stderr
    finally:
        assert canned_up.orion("drain", "pi-16gb", "--undo").returncode == 0
    wait_until(lambda: "draining" not in canned_up.orion("status").stdout, "it is back", 15.0)


def test_draining_the_last_board_is_said(canned_up: Up) -> None:
    """The first of two leaves one; the second leaves none, and that is said."""
    boards = ("pi-16gb", "pi-8gb")
    try:
        first, second = (canned_up.orion("drain", board).stdout for board in boards)
    finally:
        for board in boards:
            assert canned_up.orion("drain", board, "--undo").returncode == 0
    assert "No board is left" not in first
    assert "No board is left that takes work" in second
    wait_until(lambda: "draining" not in canned_up.orion("status").stdout, "all back", 15.0)


def test_drain_of_an_unknown_board_names_the_known(canned_up: Up) -> None:
    """A typing error is not kept as a mark for a board that never comes."""
    said = canned_up.orion("drain", "pi-32gb")
    assert said.returncode == 2
    assert "known: pi-16gb, pi-8gb" in said.stderr


def test_a_second_up_is_told_what_to_do(canned_up: Up) -> None:
    """The same data folder, or the same port: the remedy names the flag."""
    same_data = canned_up.orion("up", "--port", "1024")
    assert same_data.returncode == 1
    assert "--data" in same_data.stderr
    other = ("up", "--port", str(canned_up.port), "--data", str(canned_up.home / "other"))
    same_port = canned_up.orion(*other)
    assert same_port.returncode == 1
    assert f"--port {canned_up.port + 1}" in same_port.stderr


@pytest.mark.parametrize("name", ["guard", "agent pi-8gb", "agent pi-16gb", "boards", "router"])
def test_a_killed_process_comes_back_and_chat_answers(canned_up: Up, name: str) -> None:
    """SIGKILL to each of them: it is said so, and the next question is answered."""
    _kill(canned_up, name)


@pytest.mark.timeout(90)
def test_a_killed_store_comes_back_with_everything(canned_up: Up) -> None:
    """What was accepted before is still known afterwards."""
    asked = request(request_id=str(uuid.uuid4()))
    final = canned_up.orion("submit", "-", stdin=asked).stdout
    _kill(canned_up, "store")
    kept = json.loads(canned_up.orion("submit", "-", stdin=asked).stdout)
    assert kept == json.loads(final)


def _kill(up: Up, name: str) -> None:
    before = up.said.count(f"{name} is back")
    pid = _sigkill(up, name)
    wait_until(lambda: _pid(up, name) not in (pid, 0), f"{name} runs again", 20.0)
    said = up.orion("chat", "Hello", "--max-tokens", "12")
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.split()) >= 5
    if name != "guard":
        wait_until(lambda: up.said.count(f"{name} is back") > before, "it is said so", 20.0)


def _sigkill(up: Up, name: str) -> int:
    """The pid it had. A pid of 0 would be this test's own process group."""
    wait_until(lambda: _pid(up, name) > 1, f"{name} runs", 20.0)
    pid = _pid(up, name)
    assert pid > 1
    os.kill(pid, signal.SIGKILL)
    return pid


def _pid(up: Up, name: str) -> int:
    return up.run.pids.get(name, 0)


def test_a_router_killed_in_mid_answer_is_rejoined(canned_up: Up) -> None:
    """The answer goes on where it was: each token once, in one run of the command."""
    _rejoined(canned_up, lambda: _sigkill(canned_up, "router"))


def test_a_router_ended_in_mid_answer_is_rejoined(canned_up: Up) -> None:
    """Also when the router says in mid-answer that it is shutting down."""

    def end() -> None:
        pid = _pid(canned_up, "router")
        assert pid > 1
        os.kill(pid, signal.SIGTERM)
        log = canned_up.data / "logs" / "router.log"
        wait_until(lambda: log.read_text().count("SIGTERM: ending") > 0, "it heard it", 10.0)
        os.kill(pid, signal.SIGTERM)  # the second one: at once

    _rejoined(canned_up, end)


def _rejoined(canned_up: Up, harm: Callable[[], object]) -> None:
    chat = subprocess.Popen(
        [sys.executable, "-m", "orion_cli.main", "chat", "Hello", "--max-tokens", "4000"],
        env=canned_up.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert chat.stdout is not None
    begun = chat.stdout.read(200)
    harm()
    rest, note = chat.communicate(timeout=50)
    assert chat.returncode == 0, note
    assert b"rejoined" in note
    assert b"4000 tokens" in note
    with httpx.Client(base_url=canned_up.url, trust_env=False) as http:
        wait_until(lambda: _is_up(http), "the router is back", 20.0)
    assert len((begun + rest).split()) >= 2000


def _is_up(http: httpx.Client) -> bool:
    try:
        return http.get("/readyz").is_success
    except httpx.HTTPError:
        return False


def test_answers_are_those_of_the_schema() -> None:
    """The check used above bites."""
    with pytest.raises(InvalidRequest):
        schema.check("inference.response", {"version": "1.0"})
