"""Filling in a producer's JSON."""

import json
from pathlib import Path

import pytest

from orion_cli.problem import USAGE, Problem
from orion_cli.submit import prepare, read_document
from orion_contracts.limits import read_request

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def test_what_is_absent_is_filled_in_and_makes_a_valid_request() -> None:
    """Version, id, time and source; the default callback follows from the id."""
    envelope = prepare(ASKED)
    request = read_request(json.dumps(envelope.payload).encode())
    assert envelope.filled == ("version", "request_id", "timestamp", "source")
    assert envelope.callback == request.reply_stream


def test_what_is_there_stays_even_if_it_is_wrong() -> None:
    """The intake judges it, as it judges every producer."""
    given = {"version": "9", "request_id": 7, "timestamp": "never", "source": "", "callback": "c"}
    envelope = prepare(given)
    assert envelope.payload == given
    assert envelope.filled == ()
    assert envelope.callback == "c"


@pytest.mark.parametrize("content", ["", "[1]", "{", '"x"', b"\xff\xfe"])
def test_no_json_object_is_refused_here(tmp_path: Path, content: str | bytes) -> None:
    """It could not even carry an id: said at once, with an example."""
    file = tmp_path / "request.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(Problem) as caught:
        read_document(str(file))
    assert caught.value.code == USAGE
    assert caught.value.remedy


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The name and the system's reason."""
    with pytest.raises(Problem, match="nowhere"):
        read_document(str(tmp_path / "nowhere.json"))
