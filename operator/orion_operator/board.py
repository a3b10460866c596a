"""A board as the operator sees it: Node, worker's report and configuration in one (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from orion_contracts.config import Drain, Thresholds
from orion_contracts.health import NodeHealth
from orion_operator.footprint import tagged
from orion_operator.nodes import NodeFacts
from orion_operator.placement import Place
from orion_operator.quantity import GIB
from orion_operator.spec import EXCLUDED_CLASS, ClusterSpec

State = Literal[
    "Eligible", "Excluded", "NotReady", "Waiting", "Silent", "Draining", "Hot", "LowMemory",
    "Blind", "EngineUnreachable", "EngineWedged",
]  # fmt: skip
GONE_S = 300.0
"""A board that was silent for so long holds no replica that another board could hold."""
SYSTEM_BYTES, ROUTER_BYTES = 1 * GIB, 1 * GIB
"""What k3s and we ourselves take on any board, and router and store on top of that."""
STEP_BYTES = GIB // 2


@dataclass(frozen=True, slots=True)
class Gates:
    """Closed health gates, kept from report to report: they open later than they close."""

    hot: bool = False
    full_ram: bool = False

    def after(self, report: NodeHealth | None, limits: Thresholds) -> Gates:
        """The gates after a report."""
        hot, full = self.hot, self.full_ram
        if report is None:
            return self
        if (celsius := report.temperature_c) is not None:
            hot = celsius > (limits.temperature_return_c if hot else limits.temperature_exclude_c)
        if (percent := report.ram_used_percent) is not None:
            full = percent > (limits.ram_return_percent if full else limits.ram_exclude_percent)
        return Gates(hot, full)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What the store says of one board."""

    report: NodeHealth | None = None
    alive: bool = False
    marked: bool = False
    """Somebody said `orion drain`."""
    gates: Gates = Gates()
    heard: bool = False
    """Its worker reported once since this operator started."""
    silent_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board of ours."""

    name: str
    node_class: str
    works: bool = False
    routes: bool = False
    slots: int = 1
    memory_bytes: int = 0
    ready: bool = True
    tainted: bool = False
    condition: str = ""
    drain: Drain | None = None
    seen: Sighting = Sighting()

    @property
    def report(self) -> NodeHealth | None:
        """Its last report, if it still counts."""
        return self.seen.report

    @property
    def silent(self) -> bool:
        """Whether its worker gives no sign of life."""
        return self.seen.report is None or not self.seen.alive

    @property
    def draining(self) -> bool:
        """Whether it takes no new work because somebody said so."""
        return self.drain is not None or self.seen.marked

    @property
    def states(self) -> tuple[State, ...]:
        """All that holds, the weightiest first."""
        if not self.works:
            return ("Excluded",)
        report = self.seen.report
        found: list[State] = []
        if not self.ready:
            found.append("NotReady")
        if self.silent:
            found.append("Silent" if self.seen.heard else "Waiting")
        if self.draining:
            found.append("Draining")
        if report is not None and not report.engine.reachable:
            found.append("EngineUnreachable")
        if report is not None and report.engine.wedged:
            found.append("EngineWedged")
        if self.seen.gates.hot:
            found.append("Hot")
        if self.seen.gates.full_ram:
            found.append("LowMemory")
        if report is not None and report.temperature_c is None and report.temperature_known_before:
            found.append("Blind")
        return tuple(found) or ("Eligible",)

    @property
    def state(self) -> State:
        """One word."""
        return self.states[0]


def make_boards(
    nodes: Iterable[NodeFacts],
    classes: Mapping[str, str],
    spec: ClusterSpec,
    seen: Mapping[str, Sighting],
) -> tuple[Board, ...]:
    """Our boards, by name."""
    boards: list[Board] = []
    for node in sorted(nodes, key=lambda n: n.name):
        if (name := classes.get(node.name)) is None:
            continue
        node_class = spec.node_class(name) or replace(EXCLUDED_CLASS, name=name)
        said = spec.node(node.name)
        drain: Drain | None = "requested" if said.drain else None
        boards.append(
            Board(
                name=node.name,
                node_class=name,
                works=node_class.works,
                routes="router" in node_class.roles,
                slots=said.slots or node_class.slots,
                memory_bytes=node.memory_bytes,
                ready=node.ready,
                tainted=node.tainted,
                condition=node.condition,
                drain="cordoned" if node.unschedulable else drain,
                seen=seen.get(node.name, Sighting()),
            )
        )
    return tuple(boards)


def place_of(board: Board) -> Place:
    """The board as the placement sees it."""
    report = board.report
    settings = (report.engine.settings or {}) if report else {}
    limit = str(settings.get("OLLAMA_MAX_LOADED_MODELS", ""))
    return Place(
        name=board.name,
        node_class=board.node_class,
        memory_bytes=_memory(board),
        system_bytes=_system(board),
        slots=board.slots,
        available=board.ready and board.seen.silent_s < GONE_S,
        draining=board.draining,
        resident=frozenset(tagged(m.name) for m in report.resident) if report else frozenset(),
        on_disk=frozenset(tagged(m.name) for m in report.models) if report else frozenset(),
        most_models=int(limit) if limit.isdigit() and limit != "0" else 64,
    )


def _memory(board: Board) -> int:
    told = board.report.memory_total_bytes if board.report else None
    return min(told, board.memory_bytes) if told and board.memory_bytes else board.memory_bytes


def _system(board: Board) -> int:
    """What is not models, in steps, so that noise moves nothing."""
    least = SYSTEM_BYTES + (ROUTER_BYTES if board.routes else 0)
    report = board.report
    if report is None or not report.memory_total_bytes or report.memory_available_bytes is None:
        return least
    used = report.memory_total_bytes - report.memory_available_bytes
    used -= sum(m.size_bytes for m in report.resident)
    steps = -(-max(0, used) // STEP_BYTES)
    return max(least, steps * STEP_BYTES)
