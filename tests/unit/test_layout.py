"""The shape of the checkout: what must be there, what must not, and how large it may be."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import subprocess
import sys
import tomllib
import warnings
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("agent", "cli", "contracts", "lab", "router", "operator")
MODULES = sorted(chain.from_iterable((ROOT / root).rglob("*.py") for root in PRODUCT))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LINES_AIM, LINES_LIMIT = 200, 250


def test_no_package_shadows_the_standard_library() -> None:
    """Without operator/__init__.py, `import operator` stays Python's own, also from the root."""
    done = subprocess.run(
        [sys.executable, "-c", "import operator; print(operator.add(1, 2))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert not (ROOT / "operator/__init__.py").exists()
    assert done.stdout == "3\n"


def test_tests_are_no_package() -> None:
    """No __init__.py under tests: test files may have equal names in different folders."""
    assert [_name(path) for path in TESTS if path.name == "__init__.py"] == []


def test_modules_stay_small(capsys: pytest.CaptureFixture[str]) -> None:
    """No module of the product is longer than the limit; those above the aim are named."""
    lines = {_name(path): len(path.read_text().splitlines()) for path in MODULES}
    above_aim = {name: count for name, count in lines.items() if count > LINES_AIM}
    with capsys.disabled():
        sys.stdout.write(f"\nlines above {LINES_AIM}: {above_aim}\n" if above_aim else "")

    assert {name: count for name, count in above_aim.items() if count > LINES_LIMIT} == {}


def test_every_module_says_what_it_is() -> None:
    """Every module of the product and of the tests begins with a docstring."""
    silent = [_name(path) for path in MODULES + TESTS if not ast.get_docstring(_parse(path))]

    assert silent == []


def test_every_test_states_its_claim() -> None:
    """Every test function has a docstring: the claim that it proves."""
    silent = [
        f"{_name(path)}: {function.name}"
        for path in TESTS
        for function in _functions(_parse(path))
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]

    assert silent == []


def test_version_is_said_once() -> None:
    """The installed package's version is the one in pyproject.toml, and the customer's 0.1.0."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert "0.1.0" == project["version"] == importlib.metadata.version("orion-inference")


def test_requirements_are_locked_without_addresses() -> None:
    """Every lock file pins each line by hash and names neither an index nor a path."""
    locks = {path: path.read_text() for path in (ROOT / "requirements").glob("*.txt")}

    assert len(locks) >= 7
    for path, text in locks.items():
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert [pin for pin in pins if "==" not in pin] == [], _name(path)
        assert text.count("--hash=sha256:") >= len(pins), _name(path)
        assert [word for word in ("://", "--index", "file:", " /") if word in text] == []


@pytest.mark.timeout(60)
def test_wheel_carries_types_and_schemas(tmp_path: Path) -> None:
    """The wheel holds every package with its py.typed, schemas and Lua as in the checkout."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    subprocess.run([*build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        content = {name: wheel.read(name) for name in wheel.namelist()}
    data = [
        path
        for package in ROOT.glob("*/orion_*")
        if package.is_dir() and any(package.glob("*.py"))
        for pattern in ("py.typed", "*.schema.json", "*.lua")
        for path in package.rglob(pattern)
    ]

    assert len([path for path in data if path.name == "py.typed"]) >= 5
    assert len([path for path in data if path.name.endswith(".schema.json")]) >= 2
    for path in data:
        inside = path.relative_to(path.parents[len(path.relative_to(ROOT).parts) - 2]).as_posix()
        assert path.read_bytes() == content.get(inside), inside
        if path.suffix == ".json":
            json.loads(content[inside])


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _parse(path: Path) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # invalid escapes are ruff's to find
        return ast.parse(path.read_text(), str(path))


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
