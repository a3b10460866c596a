"""`/v1/decisions`: which request went where and why, as JSON (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orion_contracts.stamp import iso
from orion_router.gateway.ports import Noted, Told
from orion_router.journal import MOST
from orion_router.policy import Candidate, Terms

__all__ = ["MOST", "decisions"]


def decisions(told: Told) -> dict[str, Any]:
    """What the planner noted; elsewhere only who plans."""
    document: dict[str, Any] = {"planner": told.plans, "planned_by": told.planner or None}
    return {**document, "decisions": _listed(told.noted)}


def _listed(noted: Sequence[Noted]) -> list[dict[str, Any]]:
    return [_decision(each) for each in noted]


def _decision(noted: Noted) -> dict[str, Any]:
    decision = noted.decision
    return {
        "at": iso(noted.at_s),
        "request_id": decision.request_id,
        "model": decision.model,
        "verdict": decision.verdict,
        "node": decision.node or None,
        "residency": decision.residency if decision.verdict == "assign" else None,
        "why": decision.why,
        "candidates": [_candidate(each) for each in decision.candidates],
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "node": candidate.node,
        "reason": candidate.reason or None,
        "resident": candidate.resident,
        "running": candidate.running,
        "terms": None if candidate.terms is None else _terms(candidate.terms),
    }


def _terms(terms: Terms) -> dict[str, float]:
    sums = {"completion_s": terms.completion_s, "cost_s": terms.cost_s}
    return {name: round(value, 3) for name, value in {**terms._asdict(), **sums}.items()}
