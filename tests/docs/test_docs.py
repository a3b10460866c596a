"""The documents say what the code does: links, flags, keys, examples."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest

from docs.pages import ROOT, anchors, examples, links, pages, read, section
from orion_agent.settings import read_settings
from orion_contracts import keys, schema
from orion_router.settings import Settings

SETUP = "docs/INFERENCE-SETUP.md"
PLACEHOLDERS = {p: f"{{{p}}}" for p in ("request_id", "node", "router", "name")}


def named(page: Path) -> str:
    """A page's name in the report."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", pages(), ids=named)
def test_relative_links_lead_somewhere(page: Path) -> None:
    """To a file of the checkout, and to a heading in it where one is named."""
    broken: list[str] = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def help_of(program: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What `--help` prints."""
    read_flags = read_settings if program.endswith("worker") else Settings.read
    with pytest.raises(SystemExit):
        read_flags(["--help"], {})
    return capsys.readouterr().out


@pytest.mark.parametrize("program", ["orion-inference-router", "orion-inference-worker"])
def test_every_flag_is_documented_with_its_default(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tables have the flags of --help, no more and no fewer, and the same defaults."""
    told = help_of(program, capsys)
    rows = dict(re.findall(r"^\| `(--[a-z-]+)` \| (.*?) \|", section(SETUP, program), re.MULTILINE))
    assert set(rows) == set(re.findall(r"^  (--[a-z-]+)", told, re.MULTILINE))
    flat = " ".join(told.split())
    for flag, shown in rows.items():
        said = re.search(rf" {flag} (?:(?! --).)*?\(default: (.*?)\)", flat)
        if shown.startswith("`"):
            assert said is not None, flag
            assert shown.strip("`") == said[1], flag


def test_every_key_is_in_the_contract() -> None:
    """Each constant and function of keys.py, with its placeholder."""
    text = read("docs/contract.md")
    for name, value in vars(keys).items():
        if name in ("PREFIX", "RESPONSES", "annotations") or name.startswith("_"):
            continue
        if inspect.isfunction(value):
            wanted = value(*(PLACEHOLDERS[p] for p in inspect.signature(value).parameters))
        elif isinstance(value, str):
            wanted = value
        else:
            continue
        assert f"`{wanted}`" in text, name


def test_every_key_of_the_library_is_in_the_contract() -> None:
    """What the ledger's functions name, too."""
    text = read("docs/contract.md")
    source = "".join(p.read_text() for p in (ROOT / "contracts").rglob("*.lua"))
    for suffix in set(re.findall(r"P \.\. '([a-z:]+)'", source)):
        assert f"`orion:inference:{suffix}" in text, suffix


@pytest.mark.parametrize("name", schema.NAMES)
def test_the_contract_has_an_example_of_every_schema(name: str) -> None:
    """Each is valid, and together they show every field of the schema's top level."""
    shown: set[str] = set()
    for example in examples("docs/contract.md", "schema"):
        if example.value == name:
            document = json.loads(example.text)
            schema.check(name, document)
            shown |= set(document)
    assert shown, f"no example of {name}"
    text = read("docs/contract.md")
    missing = {
        f for f in schema.load(name)["properties"] if f not in shown and f"`{f}`" not in text
    }
    assert not missing


def test_every_error_code_is_in_the_contract() -> None:
    """Codes that a final can carry."""
    codes = {"queue_full", "queue_bytes", "deadline", "cancelled", "crashed", "engine_busy",
             "invalid_request", "too_large", "model_not_found", "no_node_eligible",
             "engine_rejected", "record_lost", "ledger_refused"}  # fmt: skip
    text = section("docs/contract.md", "Answers")
    assert {code for code in codes if f"`{code}`" not in text} == set()


def test_the_reasons_of_a_board_are_explained() -> None:
    """Every word that the router gives as a reason."""
    source = inspect.getsource(__import__("orion_router.sighting", fromlist=["_reasons"]))
    words = set(re.findall(r'found\.append\("(\w+)"\)', source))
    text = section(SETUP, "`/health`")
    assert words
    assert {word for word in words if f"| `{word}` |" not in text} == set()
