"""The study: cells, the file they are kept in, targets and pictures."""

from __future__ import annotations

import json
from math import isnan
from pathlib import Path
from xml.etree import ElementTree

import pytest

from orion_lab.plots.bars import Bar, Box, bars
from orion_lab.plots.boards import Seen, picture
from orion_lab.plots.svg import nice
from orion_lab.sim.conditions import Conditions
from orion_lab.sim.fleets import fleet
from orion_lab.sim.ours import Ours
from orion_lab.sim.runs import simulate
from orion_lab.sim.workloads import BURST
from orion_lab.study import contenders, hot_day, labour, matrix, page, saved
from orion_lab.study.cells import OURS, Cell, Group, cells
from orion_lab.study.contenders import LC, MINDS, contender
from orion_lab.study.loads import NAMES, workload
from orion_lab.study.saved import Saved
from orion_lab.study.targets import TARGETS, Target
from orion_lab.study.verdicts import counts, judge, listing
from orion_lab.study.work import perform

GROUP = Group("burst", "a")


def test_every_name_of_the_matrix_is_known() -> None:
    """Each cell of the whole study names a workload and a policy that there is, once per key."""
    whole = list(dict.fromkeys(matrix.full((1,))))
    assert len({cell.key for cell in whole}) == len(whole)
    for cell in whole:
        assert cell.group.workload in NAMES
        assert cell.policy in (*contenders.NAMES, "bounds")
    assert set(matrix.quick((1,))) <= set(whole)
    wanted = {target.group for target in TARGETS}
    assert wanted <= {cell.group for cell in whole}


def test_every_contender_can_be_made() -> None:
    """And is called what it was asked for."""
    boards = fleet("a")
    assert [contender(name, boards, 1).name for name in contenders.NAMES] == list(contenders.NAMES)


def test_only_the_frozen_workload_depends_on_a_run() -> None:
    """The others are the simulator's own."""
    assert workload("chat", "a", 1) is workload("chat", "b", 2)


def test_cells_are_kept_and_not_run_again(tmp_path: Path) -> None:
    """A second study of the same cells runs nothing and reads the same figures."""
    wanted = list(cells([GROUP], (LC,), (1, 2)))
    first = Saved(tmp_path / "cells.jsonl")
    for cell in wanted:
        first.add(cell, perform(cell))
    first.close()
    again = Saved(tmp_path / "cells.jsonl")

    assert again.missing(wanted) == []
    ours, theirs = again[wanted[0]].result, first[wanted[0]].result
    assert ours is not None
    assert theirs is not None
    assert ours.first_token.overall == theirs.first_token.overall
    assert labour.complete(again, wanted) == 0.0
    again.close()


def test_cells_of_other_code_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do lines that were cut off; when most lines are stale the file is made anew."""
    path, cell = tmp_path / "cells.jsonl", Cell(GROUP, LC, 1)
    kept = Saved(path)
    kept.add(cell, perform(cell))
    kept.close()
    path.write_text(path.read_text() + '{"key": "chat|a')
    monkeypatch.setattr(saved, "code", {cell.key: "other"}.__getitem__)

    fresh = Saved(path)

    assert fresh.missing([cell]) == [cell]
    assert path.read_text() == ""
    fresh.close()


def test_peers_do_not_depend_on_our_policy() -> None:
    """Their cells stay when only the router's policy changes; all of ours go."""
    assert saved.code(Cell(GROUP, LC, 1).key) != saved.code(Cell(GROUP, OURS, 1).key)
    frozen = Cell(Group("frozen chat", "a"), LC, 1)
    assert saved.code(frozen.key) == saved.code(Cell(GROUP, OURS, 1).key)


def test_targets_are_judged(tmp_path: Path) -> None:
    """Kept, missed or stretched; a target whose cells were not run is left out."""
    found = Saved(tmp_path / "cells.jsonl")
    for cell in cells([GROUP], (OURS, LC), (1,)):
        found.add(cell, perform(cell))
    easy = Target(GROUP, "makespan", 1e6, 1e5, LC)
    hard = Target(GROUP, "Jain", 2.0, how="value", at_least=True)
    gone = Target(Group("chat", "c"), "TTFT", 1.0, other=LC)

    judged = judge(found, (easy, hard, gone), (1,))

    assert [each.target for each in judged] == [easy, hard]
    assert [each.kept for each in judged] == [True, False]
    assert [each.stretched for each in judged] == [True, None]
    assert counts(judged) == "1 of 2 targets kept, 1 of 1 stretch targets reached"
    assert "MISSED" in listing(judged)
    found.close()


def test_changes_of_mind_are_counted_without_an_effect() -> None:
    """The plan is the same as without the counting."""
    seen = perform(Cell(GROUP, MINDS, 1))
    plain = perform(Cell(GROUP, OURS, 1))

    assert seen.extra["changes"] >= seen.extra["returns"] >= 0.0
    assert seen.result is not None
    assert plain.result is not None
    assert seen.result.first_token == plain.result.first_token


def test_the_hot_day_keeps_its_promise() -> None:
    """Ours begins nothing that was to be expected to pass the hard limit; without the thermal
    rules that happens all the time."""
    ours, free, _ = hot_day.days((1,))

    assert ours.by_us == 0
    assert free.by_us > 50
    assert ours.hottest_c < 82.0 < free.hottest_c
    assert ours.answered >= 0.8 * free.answered


def _chapter(kept: Saved, seeds: tuple[int, ...]) -> str:
    return "figures"


def test_the_page_keeps_its_prose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what lies between the markers is replaced."""
    monkeypatch.setattr(page, "CHAPTERS", (("Title", _chapter),))
    monkeypatch.setattr(page, "_PICTURES", ())
    monkeypatch.setattr(hot_day, "show", Path.exists)
    kept = Saved(tmp_path / "cells.jsonl")
    page.write(kept, (1,), tmp_path)
    path = tmp_path / page.PAGE
    path.write_text(path.read_text().replace("*(prose)*", "Our words.") + "The end.\n")
    page.write(kept, (1,), tmp_path)
    kept.close()

    text = path.read_text()
    assert text.count("Our words.") == 2
    assert text.endswith("The end.\n")
    assert text.count("## Title\n\nfigures") == 1


def test_pictures_are_well_formed() -> None:
    """Each is XML with a curve per board and a bar per policy."""
    boards = fleet("a")
    outcome = simulate(boards, BURST, Ours(), 1, Conditions(sample_every_s=5.0))
    drawn = picture("burst <a> & more", [Seen("ours", boards.names(), outcome.samples)]).svg()
    flat = bars("t", [Box("one", [Bar("x", 1.0, 2.0, True), Bar("y & z", 3.0, 4.0)])])

    for text in (drawn, flat):
        ElementTree.fromstring(text)
    assert drawn.count("<polyline") == 2 * 3 + 1
    assert flat.count("<rect") == 1 + 2
    assert [nice(step) for step in (0.3, 1.0, 1.1, 4.0, 70.0)] == [0.5, 1.0, 2.0, 5.0, 100.0]


def test_rows_survive_json() -> None:
    """Also the figures of classes that nobody belongs to."""
    row = perform(Cell(GROUP, LC, 1))
    back = type(row).from_wire(json.loads(json.dumps(row.to_wire())))
    assert back.result is not None
    assert row.result is not None
    assert isnan(back.result.first_token.batch.mean)
    assert back.result.first_token.overall == row.result.first_token.overall
