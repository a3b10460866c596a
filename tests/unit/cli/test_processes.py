"""The command as a process: its help, its errors, and the guard."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orion_cli import guard, plan
from orion_cli.boards import Board

COMMANDS = (
    "up", "chat", "submit", "status", "explain", "doctor", "drain", "ledger", "record", "replay",
)  # fmt: skip


def orion(*arguments: str, state: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command with an empty state folder."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ORION_")}
    return subprocess.run(
        [sys.executable, "-m", "orion_cli.main", *arguments],
        env={**clean, "ORION_STATE": str(state), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.timeout(30)
def test_every_help_reads_well(tmp_path: Path) -> None:
    """Each says what it does, gives an example, and stays within a terminal's width."""
    whole = orion("--help", state=tmp_path)
    assert whole.returncode == 0
    for command in COMMANDS:
        assert f"  {command} " in whole.stdout
        said = orion(command, "--help", state=tmp_path)
        assert "Example" in said.stdout, command
        assert max(map(len, said.stdout.splitlines())) <= 100


def test_help_imports_little() -> None:
    """What makes help slow is not imported for it: no HTTP client, no store, no tables."""
    code = "import sys, orion_cli.main; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"httpx", "redis", "rich.table", "jsonschema", "asyncio", "orion_lab"}
    assert heavy.isdisjoint(said.stdout.split())


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("chat", "x", "--url", "http://127.0.0.1:9"), 3, "orion up"),
        (("status", "--url", "http://127.0.0.1:9"), 3, "orion up"),
        (("status", "--url", "::"), 3, "no gateway answers"),
        (("drain", "a", "--redis-addr", "127.0.0.1:9"), 3, "--redis-addr"),
        (("submit", "nowhere.json"), 2, "nowhere.json"),
        (("drain", "a", "--redis-addr", "http://x"), 1, "redis://"),
        (("up", "--node", "pi"), 2, "NAME=URL"),
        (("up", "--port", "0"), 2, "port"),
        (("up", "--engine", "gpt"), 2, "llama"),
        (("drain", "a", "--redis-password-file", "/nowhere"), 1, "/nowhere"),
    ],
)
def test_errors_are_sentences(
    tmp_path: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    """No traceback, no colour in a pipe; the remedy is named, the exit code says which kind."""
    said = orion(*arguments, state=tmp_path)
    assert said.returncode == code, said.stderr
    assert text in said.stderr
    assert "Traceback" not in said.stderr
    assert "\x1b" not in said.stderr + said.stdout


def test_the_library_is_printed_as_the_store_takes_it(tmp_path: Path) -> None:
    """The shebang first: FUNCTION LOAD wants it there."""
    assert orion("ledger", state=tmp_path).stdout.startswith("#!lua name=orion")


@pytest.mark.timeout(15)
def test_the_guard_ends_what_it_watches_when_its_input_ends() -> None:
    """Also what ignores SIGTERM; what was taken off the list stays."""
    stubborn = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); "
        "time.sleep(60)"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", stubborn], stdout=subprocess.PIPE, start_new_session=True
        )
        for _ in range(2)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        watched, spared = children
        lines = f"+{watched.pid}\n+{spared.pid}\n-{spared.pid}\n"
        subprocess.run(
            [sys.executable, "-I", "-S", guard.__file__], input=lines, text=True, check=True
        )
        assert watched.wait(5) == -signal.SIGKILL
        assert spared.poll() is None
    finally:
        for child in children:
            child.kill()
            child.communicate()


def test_no_password_on_any_command_line(tmp_path: Path) -> None:
    """`ps` shows every argument: only the file's name is among them."""
    place = plan.Place(tmp_path)
    flags = plan.store_flags("127.0.0.1:1", tmp_path / "password")
    board = Board("a", "http://pi:11434")
    agent = plan.worker(board, flags, board.url, 1, 2, place)
    for command in (plan.router(flags, 1, 2), agent):
        assert "--redis-password-file" in command
        assert "--redis-password" not in command
        assert command[command.index("--http-host") + 1] == "127.0.0.1"
    assert agent[agent.index("--host-root") + 1] == str(place.nothing)


def test_help_is_quick(tmp_path: Path) -> None:
    """Below half a second of processor time, whatever else the machine does."""
    before = os.times()
    orion("--help", state=tmp_path)
    after = os.times()
    used_s = after.children_user + after.children_system
    assert used_s - before.children_user - before.children_system < 0.5
