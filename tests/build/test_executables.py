"""The two executables and the wheel, built from a copy of the checkout that is then gone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILT_FROM = ("agent", "cli", "contracts", "lab", "router", "requirements", "scripts")
FLAGS = {
    "worker": ("--node-id", "--redis-addr", "--redis-password", "--ollama-host", "--http-port"),
    "router": ("--redis-addr", "--redis-password", "--http-port"),
}
EXTRAS = {"worker": "agent", "router": "router"}

pytestmark = pytest.mark.build


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both executables and the wheel; what they were built from is removed."""
    checkout = tmp_path_factory.mktemp("checkout")
    out = tmp_path_factory.mktemp("built")
    for name in BUILT_FROM:
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout / name)
    for role, extra in EXTRAS.items():
        script = f"orion-inference-{role}"
        subprocess.run(
            ["scripts/build-executable", script, extra, out / script],
            cwd=checkout,
            env={**os.environ, "PYTHON": sys.executable},
            check=True,
        )
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    subprocess.run([*build, str(out)], cwd=checkout, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(checkout)
    return out


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty folder to stand in."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("role", FLAGS)
def test_help_needs_neither_environment_nor_checkout(built: Path, empty: Path, role: str) -> None:
    """With an empty environment, in an empty folder, --help names every flag and leaves no file."""
    done = _run([built / f"orion-inference-{role}", "--help"], cwd=empty, env={})

    assert done.stderr == ""
    assert done.returncode == 0
    assert [flag for flag in FLAGS[role] if flag not in done.stdout] == []
    assert list(empty.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_help_works_for_a_user_without_a_home(built: Path, tmp_path: Path) -> None:
    """A user without a home, who may write nowhere but to the temporary folder, gets help too."""
    worker = Path("/tmp") / f"orion-inference-worker-{os.getpid()}"
    shutil.copy(built / "orion-inference-worker", worker)
    try:
        done = _run([worker, "--help"], cwd=Path("/"), env={}, user=54321)
    finally:
        worker.unlink()

    assert done.returncode == 0, done.stderr
    assert "--node-id" in done.stdout


@pytest.mark.parametrize("role", FLAGS)
def test_second_start_is_quick(built: Path, empty: Path, role: str) -> None:
    """Once unpacked, an executable starts about as fast as the same program from a wheel."""
    program = built / f"orion-inference-{role}"
    environment = {"PEX_ROOT": str(empty / "unpacked")}
    _run([program, "--help"], cwd=empty, env=environment)
    unpacked = {p for p in (empty / "unpacked").rglob("*") if "__pycache__" not in str(p)}
    done = _run([program, "--help"], cwd=empty, env=environment, timeout=15)

    assert done.returncode == 0
    assert unpacked == {p for p in (empty / "unpacked").rglob("*") if "__pycache__" not in str(p)}


def test_wheel_serves_the_command_line_from_its_lock(built: Path, tmp_path: Path) -> None:
    """requirements/cli.txt and the wheel alone, in a new environment, make `orion --help` work."""
    base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    venv = tmp_path / "venv"
    pip = [f"{venv}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [str(base), "-m", "venv", str(venv)],
        [*pip, "--require-hashes", "-r", str(ROOT / "requirements/cli.txt")],
        [*pip, "--no-deps", *map(str, built.glob("*.whl"))],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    done = _run([venv / "bin/orion", "--help"], cwd=tmp_path, env={"TERM": "dumb"})

    assert done.returncode == 0, done.stderr
    assert "up" in done.stdout


def _run(
    command: list[Path | str],
    *,
    cwd: Path,
    env: dict[str, str],
    user: int | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
