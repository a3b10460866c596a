"""What people are told to type works where they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orion_cli import calling
from orion_cli.calling import as_called, called
from orion_cli.commands import app


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An `orion` in an environment of its checkout."""
    program = tmp_path / "check out" / ".venv" / "bin" / "orion"
    program.parent.mkdir(parents=True)
    program.touch()
    return program


def test_the_name_alone_where_the_shell_finds_it(installed: Path, tmp_path: Path) -> None:
    """Also through a link; not where the name leads to another program."""
    link, other = tmp_path / "orion", tmp_path / "other"
    link.symlink_to(installed)
    other.touch()
    here = installed.parents[2]

    assert called(installed, installed, here, str(link)) == "orion"
    assert called(installed, installed, here, str(other)) == ".venv/bin/orion"


def test_the_path_otherwise(installed: Path, tmp_path: Path) -> None:
    """Relative below the folder one is in, quoted where it must be; `python -m` is told of the
    program beside it."""
    assert called(installed, installed, installed.parents[2], None) == ".venv/bin/orion"
    assert called(installed, installed, Path("/elsewhere"), None) == f"'{installed}'"
    assert called(Path("main.py"), installed, installed.parents[2], None) == ".venv/bin/orion"
    assert called(Path("main.py"), tmp_path / "none", tmp_path, None) == "orion"


def test_only_commands_are_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths, packages and the word alone stay."""
    monkeypatch.setattr(calling, "myself", lambda: ".venv/bin/orion")

    assert as_called("run `orion up`, then orion chat") == (
        "run `.venv/bin/orion up`, then .venv/bin/orion chat"
    )
    for text in (".venv/bin/orion up", "orion: no", "the orion folder", "orion-inference up"):
        assert as_called(text) == text


def test_no_command_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one that there is can be mentioned in a help text, and is told as it is called."""
    monkeypatch.setattr(calling, "myself", lambda: "bin/orion")
    callbacks = (each.callback for each in app.registered_commands)
    names = [callback.__name__ for callback in callbacks if callback is not None]

    assert {"up", "record", "replay"} < set(names)
    for name in names:
        assert as_called(f"say `orion {name}`") == f"say `bin/orion {name}`"


def test_help_and_remedies_name_a_command_that_runs() -> None:
    """Of the environment these tests run in, with a PATH that does not have it."""
    program = Path(sys.executable).with_name("orion")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *words], capture_output=True, text=True, timeout=30, check=False,
            cwd=program.parent.parent, env={"PATH": "/usr/bin:/bin", "ORION_STATE": "/nonexistent"},
        )  # fmt: skip

    help_text = run("--help").stdout
    assert "Start with: bin/orion up" in help_text
    assert "bin/orion up --node" in run("up", "--help").stdout
    assert "bin/orion replay monday.jsonl" in run("record", "--help").stdout
    assert " [REQUEST_ID]\n" in run("explain", "--help").stdout
    assert "`bin/orion up`" in run("status", "--url", "http://127.0.0.1:9").stderr
