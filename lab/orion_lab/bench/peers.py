"""The processes beside us: the floor, and LiteLLM's proxy, each in the peers' environment."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from orion_lab.bench.job import Target, openai
from orion_lab.bench.rig import MODEL
from orion_lab.program import Program
from orion_lab.stores import free_port

PYTHON_VARIABLE = "ORION_BENCH_PYTHON"
KEY = "sk-bench"
_FLOOR = Path(__file__).with_name("floor.py")


class NoPeer(RuntimeError):
    """It cannot run here; the text says why."""


def python() -> Path:
    """The interpreter of the peers' environment.

    Raises:
        NoPeer: `make bench` could not make it.
    """
    path = Path(os.environ.get(PYTHON_VARIABLE, ".venv-bench/bin/python"))
    if not path.exists():
        raise NoPeer(f"{path} is not there: `make bench` installs requirements/bench.txt into it")
    return path.absolute()


def version(package: str) -> str:
    """The installed version of a package there.

    Raises:
        NoPeer: it is not installed.
    """
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    said = subprocess.run([str(python()), "-c", code], capture_output=True, text=True, check=False)
    if said.returncode:
        raise NoPeer(f"{package} is not installed in the peers' environment")
    return said.stdout.strip()


@contextmanager
def floor(board_ports: Sequence[int], directory: Path) -> Generator[tuple[int, int]]:
    """The bare proxy: its port and process id. Raises NoPeer."""
    version("aiohttp")
    port = free_port()
    argv = [str(python()), str(_FLOOR), str(port), *map(str, board_ports)]
    with _running("floor", argv, directory, {}, f"http://127.0.0.1:{port}/", 20.0) as pid:
        yield port, pid


@contextmanager
def litellm(board_ports: Sequence[int], directory: Path) -> Generator[tuple[Target, int, float]]:
    """LiteLLM's proxy: the target, its process id, seconds to its start. Raises NoPeer."""
    version("litellm")
    port = free_port()
    config = directory / "litellm.yaml"
    models = [
        {
            "model_name": MODEL,
            "litellm_params": {
                "model": f"ollama_chat/{MODEL}",
                "api_base": f"http://127.0.0.1:{board}",
            },
        }
        for board in board_ports
    ]
    config.write_text(json.dumps({"model_list": models}))  # JSON is YAML
    program = python().with_name("litellm")
    argv = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    environment = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    ready = f"http://127.0.0.1:{port}/health/liveliness"
    began_s = time.monotonic()
    with _running("litellm", argv, directory, environment, ready, 90.0) as pid:
        yield openai("litellm", [port], MODEL, KEY), pid, time.monotonic() - began_s


@contextmanager
def _running(
    name: str,
    argv: Sequence[str],
    directory: Path,
    environment: dict[str, str],
    url: str,
    within_s: float,
) -> Generator[int]:
    program = Program(name, argv, directory / f"{name}.log", environment)
    program.start()
    try:
        deadline = time.monotonic() + within_s
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            while not _answers(client, url):
                if program.gone is not None or time.monotonic() > deadline:
                    raise NoPeer(f"{name} did not start:\n{program.tail()}")
                time.sleep(0.05)
        pid = program.pid
        assert pid is not None
        yield pid
    finally:
        program.kill()


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code < 500
    except httpx.HTTPError:
        return False
