"""The table of boards as values (pure): what `orion up`, `orion status` and pictures show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Mood = Literal["good", "warn", "bad", "off"]
REASONS: Mapping[str, str] = {
    "silent": "no sign of life",
    "draining": "draining: `orion drain {name} --undo` ends it",
    "hot": "too hot: no work until it has cooled down",
    "ram": "memory full: no work until some is free",
    "unreachable": "its Ollama does not answer",
    "wedged": "its Ollama hangs",
    "blind": "its temperature is no longer readable",
}
WORKING = ("ASSIGNED", "RUNNING")
COLUMNS = ("board", "class", "state", "temp", "RAM", "resident models", "running", "remark")


@dataclass(frozen=True, slots=True)
class Row:
    """One board, ready to print; `mood` is the colour of its state."""

    name: str
    class_name: str
    state: str
    temperature: str
    ram: str
    resident: str
    running: str
    remark: str
    mood: Mood

    @property
    def cells(self) -> tuple[str, ...]:
        """In the order of COLUMNS."""
        return (
            self.name, self.class_name, self.state, self.temperature, self.ram, self.resident,
            self.running, self.remark,
        )  # fmt: skip


def of_node(node: Mapping[str, Any]) -> Row:
    """A board as the gateway's /v1/nodes tells of it."""
    reasons: Sequence[str] = node.get("reasons") or ()
    resident: Sequence[str] = node.get("resident") or ()
    held: Sequence[str] = node.get("inflight") or ()
    name = str(node.get("name", "?"))
    return Row(
        name=_short(name),
        class_name=_short(str(node.get("class") or "-")),
        state=_state(node, reasons, held),
        temperature=_number(node.get("temperature_c"), "°C"),
        ram=_number(node.get("ram_used_percent"), "%"),
        resident=_short(", ".join(map(str, resident)) or "-", 200),
        running=f"{len(held)}/{node.get('slots', '?')}",
        remark=_short("; ".join(_remark(r, name) for r in reasons) or _note(node), 300),
        mood=_mood(node, reasons),
    )


def occupied(
    nodes: Iterable[Mapping[str, Any]], requests: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The boards with the work that the list of requests gives them: the gateway's own view of
    its boards is up to some seconds older, and the two would contradict each other."""
    held: dict[str, list[str]] = {}
    for each in requests:
        if each.get("state") in WORKING:
            held.setdefault(str(each.get("node")), []).append(str(each.get("request_id")))
    return [{**node, "inflight": held.get(str(node.get("name")), [])} for node in nodes]


def of_excluded(name: str, class_name: str, why: str) -> Row:
    """A board that gets no agent: only `orion up` knows of it."""
    return Row(name, class_name, "excluded", "-", "-", "-", "-", why, "off")


def sort_key(row: Row) -> tuple[bool, str]:
    """Boards that may work first."""
    return (row.mood == "off", row.name)


def summary(requests: Sequence[Mapping[str, Any]], boards: Sequence[Row], most: int) -> str:
    """One line: what waits, what runs, who may take more. `most`: how many were asked for."""
    waiting = sum(each.get("state") == "QUEUED" for each in requests)
    running = sum(each.get("state") in WORKING for each in requests)
    shown = [row for row in boards if row.mood != "off"]
    able = sum(row.mood == "good" for row in shown)
    more = "+" if len(requests) >= most else ""
    return f"{running} running · {waiting}{more} waiting · {able} of {len(shown)} boards take work"


def _remark(reason: str, name: str) -> str:
    """Why a board takes no work; the limits are the configuration's, and not told here."""
    return REASONS.get(reason, reason).replace("{name}", name)


def _state(node: Mapping[str, Any], reasons: Sequence[str], held: Sequence[str]) -> str:
    if node.get("state") != "fresh":
        return str(node.get("state", "?"))
    if reasons:
        return "draining" if list(reasons) == ["draining"] else "gated"
    if node.get("loading"):
        return "loading"
    return "busy" if held else "ready"


def _mood(node: Mapping[str, Any], reasons: Sequence[str]) -> Mood:
    if node.get("state") == "lost":
        return "bad"
    return "warn" if reasons or node.get("state") != "fresh" else "good"


def _number(value: float | None, unit: str) -> str:
    return "unknown" if value is None else _short(f"{value:.0f} {unit}", 12)


def _short(text: str, most: int = 40) -> str:
    """A cell that leaves room for the others, whatever a board says of itself."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _note(node: Mapping[str, Any]) -> str:
    if node.get("loading"):
        return "loading " + ", ".join(node["loading"])
    slow: Mapping[str, float] = node.get("slow") or {}
    if slow:
        return "; ".join(f"slow: {m} at {100 * share:.0f} %" for m, share in slow.items())
    return "slowed down by heat" if node.get("throttled") else ""
