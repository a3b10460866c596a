"""What the documents tell people to run does what they say."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.pages import ROOT, Example, examples
from orion_lab.stack import Stack
from servers.needs import demand

PAGE = "docs/http-api.md"
UNITS = sorted((ROOT / "docs/systemd").glob("*.service"))


@pytest.fixture(scope="module")
def system() -> Iterator[Stack]:
    """A router to ask, and a board behind it."""
    demand("valkey9")
    demand("curl")
    with Stack(["pi-a:zero"], appendfsync="no") as stack:
        yield stack


@pytest.mark.integration
def test_the_commands_about_http_answer_as_promised(system: Stack) -> None:
    """Every curl of the page, in order, gets the status that the page is marked with."""
    blocks = examples(PAGE, "run")
    assert len(blocks) > 5
    for block in blocks:
        for line in block.text.splitlines():
            assert _status(system.url, line) == block.value, line


def _status(url: str, line: str) -> str:
    command = [part.replace("http://127.0.0.1:8080", url) for part in shlex.split(line)]
    assert command[0] == "curl"
    quiet = ["--silent", "--noproxy", "*", "--output", "/dev/null", "--max-time", "20"]
    told = subprocess.run(
        ["curl", *quiet, "--write-out", "%{http_code}", *command[1:]],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return told.stdout


def test_every_command_of_the_page_is_marked() -> None:
    """No curl slips through unchecked."""
    marked: list[Example] = examples(PAGE, "run")
    assert (ROOT / PAGE).read_text().count("\ncurl ") == sum(
        len(block.text.splitlines()) for block in marked
    )


@pytest.mark.needs("systemd")
@pytest.mark.timeout(30)
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_units_verify(unit: Path, tmp_path: Path) -> None:
    """systemd finds nothing to complain about, the program being there."""
    program = tmp_path / "program"
    shutil.copy("/bin/true", program)
    name = unit.name.removesuffix(".service")
    text = unit.read_text()
    assert f"ExecStart=/usr/local/bin/{name}\n" in text
    placed = tmp_path / unit.name
    placed.write_text(text.replace(f"/usr/local/bin/{name}\n", f"{program}\n"))

    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(placed)], capture_output=True, text=True
    )
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


def test_the_setup_guide_names_the_units() -> None:
    """Both are linked, and installed under the names they have."""
    text = (ROOT / "docs/INFERENCE-SETUP.md").read_text()
    assert [unit.name for unit in UNITS] == [
        "orion-inference-router.service", "orion-inference-worker.service",
    ]  # fmt: skip
    for unit in UNITS:
        assert f"systemd/{unit.name})" in text
        assert f"sudo cp docs/systemd/{unit.name} /etc/systemd/system/" in text
