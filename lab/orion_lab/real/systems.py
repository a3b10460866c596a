"""What the requests go through: ours and three peers, each on boards of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from orion_contracts import keys
from orion_contracts.stamp import iso_now
from orion_lab import hurry as hurry_module
from orion_lab.bench import peers
from orion_lab.bench.peers import NoPeer
from orion_lab.hurry import Hurry
from orion_lab.program import Program
from orion_lab.real.load import Gateway
from orion_lab.sim.fleets import Fleet
from orion_lab.sim.workloads import MIX
from orion_lab.stack import Stack
from orion_lab.stores import free_port
from orion_lab.testing import BoardProcess

PYTHON_VARIABLE: Final = "ORION_REAL_PYTHON"
MODELS: Final = tuple(name for name, _ in MIX)
# The simulator knows no keep-alive: on the boards, none ends within a run.
_BOARD_FLAGS: Final = ("--models", ",".join(MODELS), "--keep-alive", "1e6")


@dataclass(frozen=True, slots=True)
class Running:
    """A system that is ready."""

    gateway: Gateway
    boards: Sequence[BoardProcess]
    version: str
    programs: Mapping[str, int] = field(default_factory=dict[str, int])
    """Process ids of what stands between client and boards."""

    def stats(self) -> list[dict[str, Any]]:
        """What the boards counted."""
        return [board.stats() for board in self.boards]


@contextmanager
def ours(fleet: Fleet, hurry: Hurry, directory: Path) -> Generator[Running]:
    """Router, a worker per board, Valkey: all of them in a hurry, the store's clock included."""
    names = fleet.names()
    seats = [f"{name}:{spec.name}" for name, spec in zip(names, fleet.boards, strict=True)]
    stack = Stack(
        seats, hurry=hurry, directory=directory, appendfsync="everysec", board_flags=_BOARD_FLAGS,
        router_flags=["--log-level", "warning"], worker_flags=["--log-level", "warning"],
    )  # fmt: skip
    with stack:
        storage = {
            name: {"storage_bytes_per_second": spec.storage_bytes_per_s}
            for name, spec in zip(names, fleet.boards, strict=True)
        }
        config = {"version": "1.0", "generation": 1, "nodes": storage}
        with stack.client() as store:  # as the operator tells it
            store.set(
                keys.CONFIG, json.dumps({**config, "timestamp": iso_now(), "source": "orion-lab"})
            )
            _wait(lambda: bool(store.exists(keys.CONFIG_APPLIED)), "the configuration", 20.0)
        pids = {name: pid for name in (*stack.programs, "store") if (pid := stack.pid(name))}
        port = int(stack.url.rpartition(":")[2])
        yield Running(Gateway("ours", port), [stack.boards[n] for n in names], "", pids)


@contextmanager
def nginx(fleet: Fleet, hurry: Hurry, directory: Path) -> Generator[Running]:
    """Debian's nginx with least_conn. Raises NoPeer."""
    with _boards(fleet, hurry) as boards, nginx_before(boards, directory) as (port, pid, version):
        yield Running(Gateway("nginx", port), boards, version, {"nginx": pid})


@contextmanager
def nginx_before(
    boards: Sequence[BoardProcess], directory: Path
) -> Generator[tuple[int, int, str]]:
    """nginx with least_conn before these boards: port, process id, version. Raises NoPeer."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise NoPeer("nginx is not installed; on Debian: apt install nginx-light")
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    port = free_port()
    servers = " ".join(f"server {board.url.removeprefix('http://')};" for board in boards)
    conf = directory / "nginx.conf"
    conf.write_text(
        f"daemon off; worker_processes 2; pid {directory}/nginx.pid; error_log stderr;\n"
        "events { worker_connections 1024; }\n"
        "http { access_log off; client_body_temp_path body; proxy_temp_path proxy;\n"
        f"upstream boards {{ zone boards 64k; least_conn; {servers} keepalive 128; }}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://boards;\n"
        "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffering off;\n"
        "client_max_body_size 0; proxy_read_timeout 3600s; } } }\n"
    )
    argv = [program, "-p", str(directory), "-c", str(conf)]
    with _program("nginx", argv, directory, {}, f"http://127.0.0.1:{port}/", 10.0) as pid:
        yield port, pid, said.strip().rpartition("/")[2]


@contextmanager
def litellm(fleet: Fleet, hurry: Hurry, directory: Path) -> Generator[Running]:
    """LiteLLM's proxy as it comes: simple-shuffle. Raises NoPeer."""
    version = peers.version("litellm")
    with _boards(fleet, hurry) as boards:
        port = free_port()
        config = directory / "litellm.yaml"
        models = [
            {
                "model_name": name,
                "litellm_params": {"model": f"ollama_chat/{name}", "api_base": board.url},
            }
            for name in MODELS
            for board in boards
        ]
        config.write_text(json.dumps({"model_list": models}))  # JSON is YAML
        program = peers.python().with_name("litellm")
        argv = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        environment = {"LITELLM_MASTER_KEY": peers.KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        ready = f"http://127.0.0.1:{port}/health/liveliness"
        with _program("litellm", argv, directory, environment, ready, 120.0) as pid:
            yield Running(Gateway("LiteLLM", port, peers.KEY), boards, version, {"litellm": pid})


@contextmanager
def herd(fleet: Fleet, hurry: Hurry, directory: Path) -> Generator[Running]:
    """ollama-herd and a herd-node per board, in the same hurry. Raises NoPeer.

    Answering with another model is switched off, as are telemetry and pulling."""
    python = Path(os.environ.get(PYTHON_VARIABLE, ".venv-real/bin/python")).absolute()
    if not python.exists():
        raise NoPeer(f"{python} is not there: `make lab-real` installs requirements/real.txt")
    code = "import importlib.metadata as m; print(m.version('ollama-herd'))"
    said = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    if said.returncode:
        raise NoPeer("ollama-herd is not installed in its environment")
    environment = {
        **hurry.environment, "HOME": str(directory), "FLEET_VRAM_FALLBACK": "false",
        "FLEET_AUTO_PULL": "false", "FLEET_TELEMETRY": "false", "FLEET_NODE_TELEMETRY": "false",
        "FLEET_DISABLE_MODEL_PRELOADER": "true", "FLEET_MDNS": "false", "OLLAMA_NUM_PARALLEL": "1",
    }  # fmt: skip
    hurried = [str(python), hurry_module.__file__]
    with _boards(fleet, hurry) as boards, ExitStack() as stack:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        common = ["--log-level", "WARNING"]
        argv = [*hurried, "fleet_manager.cli.server_cli", "--host", "127.0.0.1"]
        argv += ["--port", str(port), *common]
        ready = f"{url}/fleet/status"
        pid = stack.enter_context(_program("herd", argv, directory, environment, ready, 60.0))
        for name, board in zip(fleet.names(), boards, strict=True):
            argv = [*hurried, "fleet_manager.cli.node_cli", "--node-id", name, *common]
            argv += ["--ollama-host", board.url, "--router-url", url]
            stack.enter_context(_program(f"node-{name}", argv, directory, environment, "", 0.0))
        wanted = len(boards)
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            _wait(lambda: _online(client, url) == wanted, "all herd-nodes", 60.0)
        yield Running(Gateway("ollama-herd", port), boards, said.stdout.strip(), {"herd": pid})


System = Callable[[Fleet, Hurry, Path], AbstractContextManager[Running]]
SYSTEMS: Final[Mapping[str, System]] = {
    "ours": ours, "nginx": nginx, "litellm": litellm, "herd": herd,
}  # fmt: skip


@contextmanager
def _boards(fleet: Fleet, hurry: Hurry) -> Generator[list[BoardProcess]]:
    with ExitStack() as stack:
        pairs = zip(fleet.names(), fleet.boards, strict=True)
        yield [
            stack.enter_context(
                BoardProcess(*_BOARD_FLAGS, boards=[f"{name}:0:{spec.name}"], hurry=hurry)
            )
            for name, spec in pairs
        ]


@contextmanager
def _program(
    name: str,
    argv: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    url: str,
    within_s: float,
) -> Generator[int]:
    program = Program(name, argv, directory / f"{name}.log", environment)
    program.start()
    try:
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            try:
                _wait(lambda: not url or program.gone is not None or _answers(client, url),
                      name, within_s or 1.0)  # fmt: skip
            except TimeoutError as error:
                raise NoPeer(f"{error}:\n{program.tail()}") from None
        if program.gone is not None or program.pid is None:
            raise NoPeer(f"{name} ended by itself:\n{program.tail()}")
        yield program.pid
    finally:
        program.kill()


def _wait(test: Callable[[], bool], what: str, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not test():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not ready in {within_s:.0f} s")
        time.sleep(0.1)


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code < 500
    except httpx.HTTPError:
        return False


def _online(client: httpx.Client, url: str) -> int:
    try:
        nodes: list[dict[str, Any]] = client.get(f"{url}/fleet/status").json().get("nodes", [])
    except (httpx.HTTPError, ValueError):
        return 0
    return sum(node.get("status") == "online" for node in nodes)
