"""The tables of a status: one row for each board and each model, and one line for all (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from orion_operator.board import Board, State
from orion_operator.facts import Facts
from orion_operator.loose import mapping
from orion_operator.status_types import MAX_ROWS, ModelRow, NodeRow, Summary

BAND_C = 5
PROGRESS_PERCENT = 10
MEANING: dict[State, str] = {
    "Eligible": "",
    "Excluded": "its class runs nothing of ours; spec.nodes[].class changes that",
    "NotReady": "Kubernetes says that the node is not ready: see kubectl describe node",
    "Waiting": "its worker has not reported yet: see the pods on it",
    "Silent": "no report from its worker: see the pods on it",
    "Draining": "takes no new work, finishes what runs",
    "Hot": "above the temperature threshold; gets work again at temperatureReturnC",
    "LowMemory": "uses more memory than the threshold; gets work again at ramReturnPercent",
    "Blind": "its temperature cannot be read any more",
    "EngineUnreachable": "its worker cannot use Ollama: see the container ollama",
    "EngineWedged": "Ollama hung in the middle of a request and is being restarted",
}
_CUT = 500


def band_c(celsius: float | None) -> int | None:
    """Rounded down to five degrees: a status that changes with each degree wears out an SD card."""
    return None if celsius is None else int(celsius // BAND_C) * BAND_C


def node_row(board: Board) -> NodeRow:
    """One board."""
    report = board.report
    return NodeRow(
        name=board.name,
        node_class=board.node_class,
        state=board.state,
        temperature_band_c=band_c(report.temperature_c) if report else None,
        resident=tuple(sorted(m.name for m in report.resident))[:32] if report else (),
        reasons=tuple(_reasons(board)),
    )


def _reasons(board: Board) -> Iterable[str]:
    report = board.report
    for state in board.states:
        if state == "Draining" and board.drain:
            who = "cordoned" if board.drain == "cordoned" else "asked for in spec.nodes"
            yield f"Draining: {who}; {MEANING[state]}"
        elif state == "EngineUnreachable" and report and report.engine.error:
            yield f"{state}: {report.engine.error}"[:_CUT]
        elif MEANING[state]:
            yield f"{state}: {MEANING[state]}"


def node_rows(facts: Facts) -> tuple[NodeRow, ...]:
    """Boards in trouble first, then the others, at most MAX_ROWS."""
    rows = [node_row(board) for board in facts.boards]
    order = {"Eligible": 1, "Excluded": 2}
    rows.sort(key=lambda row: (order.get(row.state, 0), row.name))
    return tuple(rows[:MAX_ROWS])


def model_rows(facts: Facts) -> tuple[ModelRow, ...]:
    """In the order of the spec."""
    return tuple(_model_row(facts, model.name) for model in facts.spec.models)[:MAX_ROWS]


def _model_row(facts: Facts, model: str) -> ModelRow:
    placed = facts.plan[model]
    where = f"planned on {', '.join(placed.nodes)}" if placed.nodes else "planned nowhere"
    failures = [f"{board}: {why}" for board, why in sorted(failed(facts, model).items())]
    message = "; ".join([*failures, placed.problem or where])
    return ModelRow(
        name=model,
        wanted=placed.wanted,
        resident=len([b for b in facts.holders(model) if b.name in placed.nodes]),
        pulling=pulling(facts, model)[:200],
        message=message[:1024],
    )


def pulling(facts: Facts, model: str) -> str:
    """Progress of fetching, in steps of ten percent."""
    parts: list[str] = []
    for board in facts.workers:
        for pull in board.report.pulls if board.report else ():
            if pull.get("model") != model or pull.get("state") == "failed":
                continue
            total, done = pull.get("total_bytes") or 0, pull.get("completed_bytes") or 0
            percent = int(100 * done / total) if total else 0
            step = percent // PROGRESS_PERCENT * PROGRESS_PERCENT
            parts.append(f"{board.name} {pull.get('state', 'pulling')} {step}%")
    return ", ".join(parts)


def failed(facts: Facts, model: str) -> dict[str, str]:
    """Boards that could not fetch or keep it, and why."""
    found: dict[str, str] = {}
    for board in facts.workers:
        if (report := board.report) is None:
            continue
        for pull in report.pulls:
            if pull.get("model") == model and pull.get("state") == "failed":
                found[board.name] = str(pull.get("error") or "could not be fetched")[:200]
        why = mapping(mapping(report.keeper).get("failed")).get(model)
        if why:
            found[board.name] = str(why)[:200]
    return found


def settled(facts: Facts, model: str) -> bool:
    """Whether the model is where it should be: in memory, or on disk where that is enough."""
    placed = facts.plan[model]
    spec = next(m for m in facts.spec.models if m.name == model)
    there = facts.holders(model) if spec.preload else facts.keepers(model)
    serving = {board.name for board in there if board.name in placed.nodes}
    return not placed.problem and len(serving) >= placed.wanted


def cold_boards(facts: Facts) -> frozenset[str]:
    """Boards that lack a model which is planned into their memory and did not fail there."""
    found: set[str] = set()
    for model in facts.spec.models:
        if model.preload:
            warm = {board.name for board in facts.holders(model.name)}
            planned = set(facts.plan[model.name].nodes)
            found |= planned - warm - failed(facts, model.name).keys()
    return frozenset(found)


def summary(facts: Facts) -> Summary:
    """The line of `kubectl get icl`."""
    workers, models = facts.workers, facts.spec.models
    hot = [(b.report.temperature_c, b.name) for b in workers if b.report]
    celsius, name = max(((c, n) for c, n in hot if c is not None), default=(None, ""))
    return Summary(
        nodes=f"{len(facts.eligible)}/{len(workers)}",
        models=f"{sum(settled(facts, m.name) for m in models)}/{len(models)}",
        queue=facts.store.queue,
        hottest=f"{band_c(celsius)}°C {name}" if celsius is not None else "",
        excluded_nodes=len(facts.boards) - len(workers),
        more_nodes=max(0, len(facts.boards) - MAX_ROWS),
    )
