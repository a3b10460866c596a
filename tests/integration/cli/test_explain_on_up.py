"""`orion explain` against a running `orion up`: one that is done, one that waits, the last ones."""

from __future__ import annotations

import json
import uuid

import httpx
import pytest

from integration.cli.cli_harness import Up, wait_until

pytestmark = pytest.mark.integration
BOARDS = ("pi-16gb", "pi-8gb")
BODY = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hello"}],
        "options": {"num_predict": 3}}  # fmt: skip


def asked(up: Up, query: str = "") -> str:
    """A request; its id."""
    request_id = str(uuid.uuid4())
    body = {**BODY, "request_id": request_id}
    with httpx.Client(base_url=up.url, trust_env=False, timeout=40.0) as http:
        http.post(f"/v1/requests{query}", json=body).raise_for_status()
    return request_id


def test_one_that_is_done_names_its_board_and_all_that_were_looked_at(canned_up: Up) -> None:
    """What was decided, when, each board with its seconds, and how it ended."""
    request_id = asked(canned_up, "?wait=30")

    said = canned_up.orion("explain", request_id)
    document = json.loads(canned_up.orion("explain", request_id, "--json").stdout)

    assert said.returncode == 0, said.stderr
    assert f"request {request_id} for smollm2:135m is complete, on pi-" in said.stdout
    assert "goes to pi-" in said.stdout
    assert all(board in said.stdout for board in BOARDS)
    assert "to write the answer" in said.stdout
    assert document["request"]["state"] == "COMPLETED"
    assert document["decisions"][0]["request_id"] == request_id


def test_one_that_waits_is_told_why(canned_up: Up) -> None:
    """No board takes work: it is next, and each board says its word, which is explained."""
    for board in BOARDS:
        assert canned_up.orion("drain", board).returncode == 0
    try:
        wait_until(lambda: "0 of 2 boards" in canned_up.orion("status").stdout, "drained", 15.0)
        request_id = asked(canned_up)
        said = canned_up.orion("explain", request_id).stdout
    finally:
        for board in BOARDS:
            assert canned_up.orion("drain", board, "--undo").returncode == 0

    assert "waits for a board" in said
    assert "it is next" in said
    assert "waits: no free board" in said
    assert said.count("draining") >= 3
    wait_until(
        lambda: "is complete" in canned_up.orion("explain", request_id).stdout, "served", 20.0
    )


def test_without_an_id_the_last_decisions(canned_up: Up) -> None:
    """Ten at most, the newest first."""
    ids = [asked(canned_up, "?wait=30") for _ in range(2)]

    lines = [line for line in canned_up.orion("explain").stdout.splitlines() if "goes to" in line]

    assert [part in line for part, line in zip(reversed(ids), lines, strict=False)] == [True, True]
    assert len(lines) <= 10


def test_an_unknown_id_and_what_is_none(canned_up: Up) -> None:
    """Said in words, with what to look at."""
    unknown = canned_up.orion("explain", str(uuid.uuid4()))
    wrong = canned_up.orion("explain", "patrol-7")

    assert (unknown.returncode, wrong.returncode) == (1, 2)
    assert "is known" in unknown.stderr
    assert "no request id" in wrong.stderr
