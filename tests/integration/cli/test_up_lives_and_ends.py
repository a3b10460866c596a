"""`orion up` from its start to its end: nothing is lost, nothing stays."""

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import termios
import threading
import time
import uuid
from pathlib import Path

import httpx
import pytest

from integration.cli.cli_harness import Up, wait_until
from orion_lab.testing import BoardProcess
from servers.needs import demand

pytestmark = [pytest.mark.needs("valkey9"), pytest.mark.timeout(120)]
MODEL = "smollm2:135m"
CANNED = ("--engine", "canned", "--no-live")


def test_ctrl_c_in_a_terminal(tmp_path: Path) -> None:
    """A live table, and after Ctrl-C no process is left; the terminal is as it was."""
    up = Up(tmp_path, "--engine", "canned", "--speed", "20")
    with _Terminal(up) as terminal:
        wait_until(lambda: "1 running" in terminal.said or "0 running" in terminal.said,
                   "the live table shows", 40.0)  # fmt: skip
        assert up.left()
        terminal.type(b"\x03")
        assert terminal.process.wait(20) == 0
    assert "stopping router" in terminal.said
    assert "stopped; accepted requests are kept" in terminal.said
    assert terminal.said.count("\x1b[?25h") == terminal.said.count("\x1b[?25l")
    assert up.left() == []
    assert not list((tmp_path / "state" / "runs").iterdir())


def test_sigkill_of_up_itself_leaves_nothing(tmp_path: Path) -> None:
    """The guard ends the rest; the next `orion up` starts on the same data."""
    with Up(tmp_path, *CANNED) as up:
        up.process.kill()
        up.process.wait()
        wait_until(lambda: not up.left(), "nothing is left", 10.0)
        up.start()
        assert up.orion("chat", "Hello", "--max-tokens", "3").returncode == 0
        assert up.stop() == 0


def test_a_second_ctrl_c_forces(tmp_path: Path) -> None:
    """With an answer on its way the first one waits for it; the second does not."""
    with Up(tmp_path, *CANNED, "--speed", "0.5") as up:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
        with httpx.stream("POST", f"{up.url}/api/chat", json=body, timeout=60) as answer:
            next(answer.iter_lines())
            up.process.send_signal(signal.SIGINT)
            wait_until(lambda: "stopping router" in up.said, "it stops", 10.0)
            began = time.monotonic()
            assert up.stop() == 130
            assert time.monotonic() - began < 3
        wait_until(lambda: not up.left(), "nothing is left", 5.0)


def test_accepted_requests_outlive_up(tmp_path: Path) -> None:
    """Stopped in the middle of ten requests: the next `orion up` finishes every one, once."""
    ids = [str(uuid.uuid4()) for _ in range(10)]
    with Up(tmp_path, *CANNED, "--speed", "2") as up:
        with httpx.Client(base_url=up.url, trust_env=False) as http:
            for each in ids:
                asked = {"request_id": each, "model": MODEL, "options": {"num_predict": 60},
                         "messages": [{"role": "user", "content": "Hello"}]}  # fmt: skip
                assert http.post("/v1/requests", json=asked).status_code == 202
        assert up.stop(signal.SIGTERM) == 0
        assert up.left() == []
        up.start()
        states: dict[str, str] = {}

        def finished() -> bool:
            with httpx.Client(base_url=up.url, trust_env=False) as http:
                states.update({i: http.get(f"/v1/requests/{i}").json()["state"] for i in ids})
            return set(states.values()) == {"COMPLETED"}

        wait_until(finished, "all are completed", 40.0)


def test_named_ollamas_serve_instead(tmp_path: Path) -> None:
    """--node twice: both boards work, no simulated one is started, the unknown stays unknown."""
    with BoardProcess("--models", MODEL, boards=("a:0:zero", "b:0:zero")) as boards:
        nodes = [f"--node={name}={url}" for name, url in boards.urls.items()]
        with Up(tmp_path, *nodes, "--no-live") as up:
            assert "simulated" not in up.said
            assert "unknown" in up.said
            said = up.orion("chat", "Hello", "--max-tokens", "5")
            assert said.returncode == 0, said.stderr
            assert said.stderr[0] in "ab"
            assert up.orion("doctor").returncode == 0
            assert up.stop() == 0


def test_a_named_ollama_that_is_not_there(tmp_path: Path) -> None:
    """It is said so with the remedy, and the other board serves."""
    with BoardProcess("--models", MODEL) as boards:
        nodes = ("--node", f"here={boards.url}", "--node", "gone=127.0.0.1:9")
        with Up(tmp_path, *nodes, "--no-live") as up:
            assert "gone: no Ollama answers at http://127.0.0.1:9" in up.said
            assert "its Ollama does not answer" in up.said
            assert up.orion("chat", "Hello", "--max-tokens", "3").returncode == 0
            doctor = up.orion("doctor")
            assert doctor.returncode == 1
            assert "ollama serve" in doctor.stdout
            assert up.stop() == 0


@pytest.mark.needs("llama")
def test_a_real_model_answers_paris_token_by_token(tmp_path: Path) -> None:
    """Without any Ollama or Redis installed: curl's call streams, `orion chat` says Paris."""
    demand("llama")
    question = "What is the capital of France?"
    with Up(tmp_path, "--engine", "llama", "--speed", "20", "--no-live") as up:
        assert "canned" not in up.said
        said = up.orion("chat", question)
        assert said.returncode == 0, said.stderr
        assert "Paris" in said.stdout
        body = {"model": MODEL, "messages": [{"role": "user", "content": question}]}
        with httpx.stream("POST", f"{up.url}/api/chat", json=body, timeout=60) as answer:
            lines = [json.loads(line) for line in answer.iter_lines()]
        pieces = [line["message"]["content"] for line in lines]
        assert "Paris" in "".join(pieces)
        assert len([piece for piece in pieces if piece]) >= 5
        assert up.stop() == 0


class _Terminal:
    """`orion up` on a pseudo-terminal of its own."""

    def __init__(self, up: Up) -> None:
        self._up = up
        self._text = bytearray()

    def __enter__(self) -> "_Terminal":
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, b"\x28\x00\xa0\x00\x00\x00\x00\x00")
        self.process = subprocess.Popen(
            self._up.command(), stdin=slave, stdout=slave, stderr=slave,
            env={**self._up.environment, "TERM": "xterm-256color"}, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        os.close(self._master)

    def _read(self) -> None:
        while True:
            readable, _, _ = select.select([self._master], [], [], 0.1)
            if readable:
                try:
                    self._text += os.read(self._master, 65536)
                except OSError:
                    return
            elif self.process.poll() is not None:
                return

    @property
    def said(self) -> str:
        return self._text.decode(errors="replace")

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)
