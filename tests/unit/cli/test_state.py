"""What `orion up` leaves for the other commands."""

import os
from pathlib import Path

import pytest

from orion_cli import state
from orion_cli.problem import Problem
from orion_cli.state import Run


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder of this test's own, and nothing from the environment."""
    for name in [name for name in os.environ if name.startswith("ORION_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ORION_STATE", str(tmp_path))


def a_run(pid: int, port: int, started_at: float = 1.0) -> Run:
    """A run as `orion up` announces it."""
    return Run(
        pid=pid,
        url=f"http://127.0.0.1:{port}",
        redis_addr=f"127.0.0.1:{port + 1}",
        redis_password="secret",
        data="/data",
        started_at=started_at,
        excluded=({"name": "pi-4gb", "class_name": "excluded", "why": "4 GB"},),
        ollama_hosts=("http://127.0.0.1:1",),
        pids={"router": 7},
    )


def test_a_run_is_found_until_it_is_withdrawn(tmp_path: Path) -> None:
    """Other commands find address and password; the file is for its owner only."""
    run = a_run(os.getpid(), 9000)
    state.announce(run)
    assert state.runs() == [run]
    (file,) = (tmp_path / "runs").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert state.find_url("") == "http://127.0.0.1:9000"
    assert state.find_store("", "", "").password == "secret"
    state.withdraw(run)
    assert state.runs() == []


def test_the_newest_living_run_counts(tmp_path: Path) -> None:
    """Files of dead processes, and files that make no sense, go away."""
    state.announce(a_run(os.getpid(), 9000, started_at=1.0))
    state.announce(a_run(os.getppid(), 9100, started_at=2.0))
    state.announce(a_run(2**22 + 1, 9200, started_at=3.0))
    (tmp_path / "runs" / "x.json").write_text("{")
    assert [run.url[-4:] for run in state.runs()] == ["9100", "9000"]
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_flag_before_environment_before_run_before_default() -> None:
    """Each way to say where, in its order; a run's password is never sent elsewhere."""
    assert state.find_url("", {}) == state.DEFAULT_URL
    assert state.find_store("", "", "", {}).address == state.DEFAULT_REDIS
    state.announce(a_run(os.getpid(), 9000))
    environ = {"ORION_URL": "box:1/", "ORION_REDIS_ADDR": "box:2", "ORION_REDIS_PASSWORD": "p"}
    assert state.find_url("", environ) == "http://box:1"
    assert state.find_url("https://y/", environ) == "https://y"
    found = state.find_store("", "", "", environ)
    assert (found.address, found.password) == ("box:2", "p")
    assert state.find_store("other:3", "", "", {}).password == ""


def test_a_password_is_made_once(tmp_path: Path) -> None:
    """Private, and the same the next time: the store keeps its data."""
    first = state.password_file(tmp_path).read_text()
    assert len(first) >= 24
    assert state.password_file(tmp_path).read_text() == first
    assert state.password_file(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_data_folder_serves_one_run(tmp_path: Path) -> None:
    """A second one is told what to do; afterwards it is free again."""
    with (
        state.hold(tmp_path / "data"),
        pytest.raises(Problem, match="runs already") as caught,
    ):
        state.hold(tmp_path / "data")
    assert "--port" in caught.value.remedy
    state.hold(tmp_path / "data").close()


def test_a_folder_that_cannot_be_made_names_the_flag(tmp_path: Path) -> None:
    """No traceback for a path that is a file."""
    (tmp_path / "file").touch()
    with pytest.raises(Problem) as caught:
        state.make_folder(tmp_path / "file" / "below")
    assert "--data" in caught.value.remedy
