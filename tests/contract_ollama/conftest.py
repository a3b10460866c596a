"""One suite, two servers: the simulated board and a real Ollama.

The real one is what ORION_OLLAMA (`PROGRAM serve PORT DIR`) or ORION_OLLAMA_BIN (`ollama` itself,
with its models in place) starts; ORION_OLLAMA_MODEL names its model.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from contract_ollama.server import Server
from orion_lab.testing import BoardProcess

REAL_READY_WITHIN_S = 120.0

SERVERS = (
    pytest.param("sim", marks=pytest.mark.integration),
    pytest.param("real", marks=pytest.mark.real_ollama),
)


@pytest.fixture(scope="session", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A running server with one model on disk and one slot."""
    if request.param == "sim":
        # Slow enough that a long answer is still running when a test looks, fast enough to wait.
        with BoardProcess("--speed", "2", "--pull-rate", "2e8", boards=("sim:0:pi-16gb",)) as board:
            yield Server(board.url, "smollm2:135m")
        return
    model = os.environ.get("ORION_OLLAMA_MODEL", "smollm2:135m")
    with real_ollama(tmp_path_factory.mktemp("ollama") / "models") as url:
        yield Server(url, model)


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    """A plain HTTP client of the server."""
    with httpx.Client(base_url=server.url, timeout=60.0, trust_env=False) as client:
        yield client


@contextmanager
def real_ollama(models: Path) -> Generator[str]:
    """A real server on a free port, ended with everything it started."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = os.environ | {"OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_NUM_PARALLEL": "1"}
    if program := os.environ.get("ORION_OLLAMA"):
        command = [program, "serve", str(port), str(models)]
    else:
        command = [os.environ["ORION_OLLAMA_BIN"], "serve"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(url, process)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    """Poll the version until it answers."""
    deadline = time.monotonic() + REAL_READY_WITHIN_S
    while True:
        try:
            httpx.get(f"{url}/api/version", trust_env=False).raise_for_status()
            return
        except httpx.HTTPError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the real Ollama did not come up: {error!r}") from None
        time.sleep(0.1)
