"""A decision in words that need no reading of our code (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orion_cli.rows import REASONS

Document = Mapping[str, Any]
COLUMNS = ("board", "loaded", "wait", "load", "prompt", "answer", "total", "price", "remark")
SECONDS = ("wait_s", "load_s", "prefill_s", "decode_s", "completion_s", "price_s")
LAST_CHOICE_S = 1e5
"""A price beyond it is no price of time: the request failed there before."""
WORDS: Mapping[str, str] = {
    **REASONS,
    "draining": "`orion drain NAME --undo` ends it",
    "full": "all its places are taken",
    "no_model": "the model is not on its disk",
    "no_room": "the model does not fit into its memory",
    "cooling": 'its engine said "not now" a moment ago',
    "suspect": "a request that saw a crash has the board to itself",
    "pinned": "the request was sent to another board",
    "not_compared": "others were plainly better",
    "resting": "it has to cool before so much work",
    "excluded": "the configuration keeps work off it",
}
VERDICTS: Mapping[str, str] = {
    "assign": "goes to",
    "wait": "waits",
    "model_not_found": "refused: no board has the model",
    "no_node_eligible": "refused: no board may take work",
}
WHY: Mapping[str, str] = {
    "resident": "it has the model loaded, and the answer is expected first there",
    "soonest": "it has to load the model, and still the answer is expected first there",
    "spares_load": "it has the model loaded; elsewhere it may be sooner, at a higher price",
    "spares_board": "elsewhere it may be sooner, at a higher price",
    "least_energy": "others are about as fast, and need more energy",
}
STATES: Mapping[str, str] = {
    "QUEUED": "waits for a board",
    "ASSIGNED": "has been given to its board",
    "RUNNING": "is running",
    "COMPLETED": "is complete",
    "FAILED": "has failed",
    "EXPIRED": "has passed its deadline",
    "CANCELLED": "was cancelled",
    "REJECTED": "was refused",
}


def verdict(decision: Document) -> str:
    """What was decided, in a sentence without an end."""
    kind = str(decision.get("verdict", ""))
    said = VERDICTS.get(kind, kind)
    why = str(decision.get("why") or "")
    if kind == "assign":
        return f"{said} {decision.get('node')}: {WHY.get(why, why)}"
    return f"{said}: {why}" if kind == "wait" and why else said


def state(view: Document) -> str:
    """Where the request is, and on which board."""
    known = str(view.get("state", ""))
    said = STATES.get(known, known.lower())
    node, attempt = view.get("node"), view.get("attempt") or 0
    where = f", on {node}" if node and known != "QUEUED" else ""
    return said + where + (f", attempt {attempt}" if attempt > 1 else "")


def place(view: Document) -> str:
    """For one that waits: who is before it, on which board, from when on."""
    position = view.get("queue_position")
    if position is None:
        return ""
    first = "it is next" if position == 0 else f"{position} {_requests(position)} before it"
    if (node := view.get("planned_node")) is None:
        return first
    begins = view.get("estimated_start_s")
    about = "" if begins is None else f", expected to begin in {seconds(begins)}"
    return f"{first}; planned on {node}{about}"


def cells(candidate: Document) -> tuple[str, ...]:
    """A board in the order of COLUMNS."""
    terms: Document = candidate.get("terms") or {}
    times = [seconds(terms.get(name)) for name in SECONDS]
    if _failed_there(terms):
        times[-1] = "-"
    loaded = "yes" if candidate.get("resident") else "no"
    return (str(candidate.get("node", "?")), loaded, *times, _remark(candidate, terms))


def legend(decisions: Iterable[Document]) -> list[str]:
    """The words that occur in these decisions, each with what it means."""
    looked = (each for decision in decisions for each in decision.get("candidates") or ())
    used = {str(each["reason"]) for each in looked if each.get("reason")}
    return [f"{word}: {WORDS.get(word, 'no explanation is known here')}" for word in sorted(used)]


def seconds(value: float | None) -> str:
    """As short as it is still clear."""
    if value is None:
        return "-"
    if value < 9.95:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 600 else f"{value / 60:.0f} min"


def outcome(final: Document) -> str:
    """What the final still tells."""
    said: Sequence[tuple[str, Any]] = (
        ("waited", _of_ms(final.get("queue_ms"))),
        ("took", _of_ms(final.get("total_duration_ms"))),
        ("tokens", final.get("completion_tokens")),
        ("error", final.get("error")),
    )
    return ", ".join(f"{name} {value}" for name, value in said if value not in (None, ""))


def _remark(candidate: Document, terms: Document) -> str:
    found = [str(candidate["reason"])] if candidate.get("reason") else []
    if running := candidate.get("running"):
        found.append(f"{running} running")
    if cached := terms.get("cached_tokens"):
        found.append(f"{cached} tokens of the prompt cached")
    if (slower := terms.get("derate") or 1.0) > 1.0:
        found.append(f"{slower:.2f} times slower by heat")
    if _failed_there(terms):
        found.append("it failed there before")
    return ", ".join(found)


def _failed_there(terms: Document) -> bool:
    return (terms.get("price_s") or 0.0) >= LAST_CHOICE_S


def _requests(count: int) -> str:
    return "request is" if count == 1 else "requests are"


def _of_ms(value: float | None) -> str | None:
    return None if value is None else seconds(value / 1000)
