"""A board process: its faults, its evidence, its sensors, its end."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from orion_lab.testing import BoardProcess

pytestmark = pytest.mark.integration
MODEL = "smollm2:135m"


@pytest.fixture
def board() -> Iterator[BoardProcess]:
    """Two boards in one process; the first one answers at once."""
    with BoardProcess(
        "--models", f"{MODEL},gemma3:1b,llama3.1:8b", boards=("a:0:zero", "b:0:pi-4gb")
    ) as process:
        yield process


def chat(url: str, **more: Any) -> httpx.Response:
    """Ask for eight tokens."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "walk"}], **more}
    return httpx.post(f"{url}/api/chat", json={"options": {"num_predict": 8}, **body}, timeout=50)


def streamed(response: httpx.Response) -> list[dict[str, Any]]:
    """The objects of a stream."""
    return [json.loads(line) for line in response.text.splitlines()]


def test_the_counters_tell_what_happened(board: BoardProcess) -> None:
    """Started, finished, loads and tokens, in total and per model; each board its own."""
    for _ in range(3):
        chat(board.url)
    chat(board.url, model="gemma3:1b")
    seen = board.stats()

    assert (seen["started"], seen["finished"], seen["cold_loads"], seen["tokens"]) == (4, 4, 2, 32)
    assert seen["models"][MODEL]["cold_loads"] == 1
    assert (seen["inside"], seen["max_inside"]) == (0, 1)
    assert board.stats("b")["started"] == 0


def test_a_status_fault_is_answered_in_ollamas_words_as_often_as_asked(
    board: BoardProcess,
) -> None:
    """Two requests are refused, the third is served."""
    board.set_fault(status=503, count=2)
    answers = [chat(board.url) for _ in range(3)]

    assert [each.status_code for each in answers] == [503, 503, 200]
    words = "server busy, please try again.  maximum pending requests exceeded"
    assert answers[0].json() == {"error": words}


def test_a_cut_breaks_the_connection_after_some_tokens(board: BoardProcess) -> None:
    """The client sees the tokens and then a broken stream."""
    board.set_fault(cut_after_tokens=3)
    tokens: list[str] = []
    body = {"model": MODEL, "messages": [{"role": "user", "content": "walk"}]}
    with (
        pytest.raises(httpx.RemoteProtocolError),
        httpx.stream("POST", f"{board.url}/api/chat", json=body) as response,
    ):
        tokens.extend(response.iter_lines())

    assert len(tokens) == 3
    assert board.stats()["failed"] == 1


def test_a_stream_can_end_without_done(board: BoardProcess) -> None:
    """HTTP says success; only the missing final object tells."""
    board.set_fault(end_without_done_after=2)
    chunks = streamed(chat(board.url))

    assert [chunk["done"] for chunk in chunks] == [False, False]


def test_an_error_can_come_mid_stream(board: BoardProcess) -> None:
    """Status 200, some tokens, one error object."""
    board.set_fault(error_mid_stream=True)
    response = chat(board.url)
    first, last = streamed(response)

    assert response.status_code == 200
    assert first["done"] is False
    assert set(last) == {"error"}


@pytest.mark.parametrize(
    ("fault", "sent"), [({"hang_before_first": True}, 0), ({"hang_after_tokens": 2}, 2)]
)
def test_a_hanging_board_lets_go_when_the_client_leaves(
    board: BoardProcess, fault: dict[str, Any], sent: int
) -> None:
    """It says nothing more, keeps the slot, and frees it on departure."""
    board.set_fault(**fault)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{board.url}/api/chat",
            json={"model": MODEL, "messages": [{"role": "user", "content": "walk"}]},
            timeout=0.3,
        )
    board.wait_for(cancelled=1)
    board.clear_faults()

    assert board.stats()["tokens"] == sent
    assert chat(board.url).status_code == 200


def test_poison_kills_the_runner_and_every_model_is_gone(board: BoardProcess) -> None:
    """500 in Ollama's words; other prompts are served after a new load."""
    chat(board.url, model="gemma3:1b")
    board.set_fault(crash_on_prompt_containing="wal")
    response = chat(board.url)

    assert response.status_code == 500
    assert "unexpectedly stopped" in response.json()["error"]
    assert board.stats()["loaded"] == []
    assert chat(board.url, messages=[{"role": "user", "content": "run"}]).status_code == 200


def test_an_unknown_fault_is_refused(board: BoardProcess) -> None:
    """A test with a typing error must not pass for lack of a fault."""
    with pytest.raises(httpx.HTTPStatusError):
        board.set_fault(hang_befor_first=True)


def test_what_does_not_fit_is_killed(board: BoardProcess) -> None:
    """Nothing checks before loading on a CPU: the kernel ends the runner."""
    board.set_fault(load_delay_s=0.0)
    with BoardProcess("--models", "llama3.1:8b", "--speed", "1000", boards=("c:0:pi-4gb",)) as c:
        response = chat(c.url, model="llama3.1:8b")

    words = "llama-server process has terminated: signal: killed"
    assert (response.status_code, response.json()) == (500, {"error": words})


def test_sensors_are_files_and_can_be_pinned(tmp_path: Path) -> None:
    """A node agent reads them with its root set to the board's folder."""
    with BoardProcess("--root", str(tmp_path), boards=("a:0:pi-8gb",)) as board:
        zone = tmp_path / "a/sys/class/thermal/thermal_zone0"
        assert (zone / "type").read_text() == "cpu-thermal\n"
        assert (zone / "temp").read_text() == "45000\n"
        board.set_fault(temperature_c=83.5, used_ram_percent=95)
        reading = board.stats()["reading"]
        wait_for_text(zone / "temp", "83500\n")

        assert reading["temperature_c"] == 83.5
        meminfo = (tmp_path / "a/proc/meminfo").read_text().split()
        total, available = (
            int(meminfo[meminfo.index(key) + 1]) for key in ("MemTotal:", "MemAvailable:")
        )
        assert 1 - available / total == pytest.approx(0.95, abs=0.001)


def test_a_killed_board_comes_back_on_its_port(board: BoardProcess) -> None:
    """As a board that lost power: counters and loaded models are gone."""
    chat(board.url)
    address, pid = board.url, board.pid
    board.kill()
    with pytest.raises(httpx.ConnectError):
        chat(address)
    board.start()

    assert board.url == address
    assert board.pid != pid
    assert board.stats()["started"] == 0


def test_a_board_that_cannot_start_says_why() -> None:
    """The reason is in the error, and no process is left."""
    with pytest.raises(RuntimeError, match="unknown board 'pi-1tb'"):
        BoardProcess(boards=("a:0:pi-1tb",)).start()


def test_no_board_outlives_its_test(board: BoardProcess) -> None:
    """Closing twice is fine; the process is gone and reaped."""
    pid = board.pid
    board.close()
    board.close()

    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.needs("llama")
def test_the_llama_engine_knows_france() -> None:
    """Real tokens from a real model, the same on both boards of the process."""
    flags = ("--engine", "llama", "--speed", "20")
    with BoardProcess(*flags, boards=("a:0:zero", "b:0:pi-16gb")) as board:
        question = [{"role": "user", "content": "What is the capital of France?"}]
        options = {"temperature": 0, "seed": 7, "num_predict": 16}
        answers = [
            chat(url, messages=question, options=options, stream=False).json()
            for url in board.urls.values()
        ]

    assert board.ready["engine"] == "llama"
    assert {each["message"]["content"] for each in answers} == {"The capital of France is Paris."}
    assert all(each["done_reason"] == "stop" and each["eval_count"] > 5 for each in answers)


def wait_for_text(path: Path, wanted: str, within_s: float = 5.0) -> None:
    """Poll a file until it says so."""
    deadline = time.monotonic() + within_s
    while (text := path.read_text()) != wanted:
        assert time.monotonic() < deadline, f"{path} says {text!r}, not {wanted!r}"
        time.sleep(0.02)
