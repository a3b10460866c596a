"""The documents of this checkout, taken apart: links, headings, examples, commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_EXAMPLE = re.compile(
    r"^<!-- (schema|run): (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


class Example(NamedTuple):
    """A marked block: what it is held to, and its text."""

    kind: str
    value: str
    text: str


def pages() -> list[Path]:
    """Every document: at the root, in docs/, and each folder's README."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")]
    return sorted(found)


def read(page: str) -> str:
    """The text of a page, named from the root."""
    return (ROOT / page).read_text()


def links(page: Path) -> list[str]:
    """The targets of links outside code blocks."""
    return _LINK.findall(_FENCE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """What `#...` may name on a page, the way forges make it from headings."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def examples(page: str, kind: str) -> list[Example]:
    """The marked blocks of a page."""
    found = [Example(*match) for match in _EXAMPLE.findall(read(page))]
    return [each for each in found if each.kind == kind]


def section(page: str, heading: str) -> str:
    """The text below a heading, up to the next one of the same or a higher level."""
    text = read(page)
    match = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert match is not None, f"{page} has no heading {heading}"
    rest = text[match.end() :]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest
