"""Every word that the operator may put into a status or an Event, from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import orion_operator
from orion_operator.board import State
from orion_operator.ownership import Loss

SOURCES = Path(orion_operator.__path__[0])
STATES = frozenset(get_args(State))
_CONDITIONED = frozenset({"Observation", "_yes", "_no"})
"""Functions whose first two arguments are a condition and its reason."""
_REASONED = {"Trouble": 0, "refused": 0, "_refuse": 1, "Note": 1}
"""Functions with a reason among their arguments, and where."""


def _calls() -> Iterator[tuple[str, list[ast.expr]]]:
    for path in SOURCES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                yield name, node.args


def _word(arguments: list[ast.expr], index: int) -> str:
    found = arguments[index] if len(arguments) > index else None
    return found.value if isinstance(found, ast.Constant) and isinstance(found.value, str) else ""


def conditions() -> dict[str, set[str]]:
    """Condition types to the reasons that are written beside them in the source."""
    found: dict[str, set[str]] = {}
    for name, arguments in _calls():
        if name in _CONDITIONED and (kind := _word(arguments, 0)):
            found.setdefault(kind, set()).update(filter(None, [_word(arguments, 1)]))
    return found


def reasons() -> set[str]:
    """Reasons that are not bound to one condition: the store's, of refused resources, of Events."""
    found = {_word(arguments, _REASONED[name]) for name, arguments in _calls() if name in _REASONED}
    return (found | set(get_args(Loss))) - {""}
