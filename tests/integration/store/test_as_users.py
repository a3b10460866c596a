"""A deployment's processes, each logged in as its own user: nothing that they do is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from orion_contracts import keys
from orion_contracts.ledger import library_source
from orion_contracts.store import connect_sync
from orion_lab.program import Program
from orion_lab.stack import Stack
from orion_lab.stores import KINDS, Kind, StoreProcess, free_port
from servers.needs import demand
from servers.users import PASSWORDS, server_with_users

MODEL = "smollm2:135m"
pytestmark = (
    pytest.mark.contract
)  # of the stores: `make test` takes Valkey, `make test-contract` all


def login(folder: Path, user: str) -> list[str]:
    """The flags of a process of this role."""
    file = folder / f"{user}-password"
    file.write_text(PASSWORDS[user] + "\n")
    return ["--redis-username", user, "--redis-password-file", str(file)]


def load_library(store: StoreProcess) -> None:
    """As the operator does."""
    address = f"127.0.0.1:{store.port}"
    with connect_sync(address, PASSWORDS["operator"], "operator") as client:
        client.function_load(library_source(), replace=True)


@pytest.fixture(params=KINDS)
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    """A store under the users of a deployment, two routers, a worker."""
    kind: Kind = request.param
    demand(kind)
    made = Stack(
        routers=2,
        directory=tmp_path / "stack",
        router_flags=login(tmp_path, "router"),
        worker_flags=login(tmp_path, "worker"),
    )
    made.store = server_with_users(kind, tmp_path / "store").start()
    load_library(made.store)
    with made:
        yield made


def orion(
    stack: Stack, user: str, *words: str, said: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """A command line of a person or program that logs in as `user`."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("ORION_")},
        "ORION_STATE": str(stack.directory),
        "ORION_REDIS_ADDR": stack.redis_addr,
        "ORION_REDIS_USERNAME": user,
        "ORION_REDIS_PASSWORD": PASSWORDS[user],
        "ORION_URL": stack.url,
        **more,
    }
    return subprocess.run(
        [sys.executable, "-m", "orion_cli.main", *words], input=said, env=environment,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def refusals(store: StoreProcess) -> list[tuple[str, str, str]]:
    """What the store has refused to anybody, by its own account."""
    with store.client() as client:
        log: Any = client.acl_log()
    return [(e["username"], e["object"], e["reason"]) for e in log]


def place(stack: Stack, *models: str) -> None:
    """Write the configuration, as the operator does."""
    document = {
        "version": "1.0", "generation": 1, "timestamp": "2026-01-01T00:00:00Z", "source": "test",
        "models": [{"name": model, "nodes": ["pi-a"]} for model in models],
    }  # fmt: skip
    with connect_sync(stack.redis_addr, PASSWORDS["operator"], "operator") as operator:
        operator.set(keys.CONFIG, json.dumps(document))


def test_requests_are_served_and_nothing_is_refused(stack: Stack) -> None:
    """Over HTTP, by the intake stream, straight to the board, cancelled, refused, and in the end
    stopped: by the store's own log, all that is refused is a producer's look at dead letters."""
    place(stack, MODEL)
    with stack.store.client() as admin:
        kept = keys.kept("pi-a")
        stack.wait_until(lambda: bool(admin.exists(kept)), "the keeper knows", 20)
        place(stack)
        stack.wait_until(lambda: not admin.exists(kept), "the keeper has let go", 20)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Say hi"}], "stream": False}
    answer = stack.http.post(f"{stack.url}/api/chat", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["message"]["content"]

    for callback in ("", "my:own:replies"):
        request = {"model": MODEL, "messages": body["messages"]}
        request |= {"callback": callback} if callback else {}
        told = orion(stack, "producer", "submit", "-", said=json.dumps(request))
        assert told.returncode == 0, told.stderr
        assert json.loads(told.stdout)["status"] == "completed"

    wrong = orion(stack, "producer", "submit", "-", said=json.dumps({**body, "messages": []}))
    assert wrong.returncode != 0
    direct = {
        "version": "1.0", "request_id": str(uuid.uuid4()), "model": MODEL, "source": "test",
        "messages": body["messages"], "timestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    with connect_sync(stack.redis_addr, PASSWORDS["producer"], "producer") as producer:
        producer.xadd(keys.node_requests("pi-a"), {"payload": json.dumps(direct)})
        stream = keys.responses(str(direct["request_id"]))
        stack.wait_until(lambda: bool(producer.xrange(stream)), "an answer to a direct request")
        cancelled: dict[Any, Any] = {"type": "cancel", "request_id": str(uuid.uuid4())}
        producer.xadd(keys.REQUESTS, cancelled)

    submitted = stack.http.post(f"{stack.urls[1]}/v1/requests", json=direct | {
        "request_id": str(uuid.uuid4()), "options": {"num_predict": 16}})  # fmt: skip
    assert submitted.is_success, submitted.text
    for path in ("health", "v1/queue", "v1/nodes", "v1/requests"):
        assert stack.http.get(f"{stack.url}/{path}").status_code == 200

    stack.programs["router-0"].kill()  # the other one takes the planner's lease over
    again = partial(stack.http.post, f"{stack.urls[1]}/api/chat", json=body)
    assert again().status_code == 200
    for program in stack.programs.values():
        assert program.stop() in (0, None)
    assert set(refusals(stack.store)) <= {("producer", keys.DEAD, "key")}


def test_people_look_and_drain_as_operator(stack: Stack) -> None:
    """`orion doctor` in the operator's pod finds nothing wrong, and says nothing of an Ollama or
    a disk, which are not there; `orion drain` works."""
    told = orion(stack, "operator", "doctor", "--json", KUBERNETES_SERVICE_HOST="10.43.0.1")
    found = {f["subject"]: f for f in json.loads(told.stdout)}
    assert told.returncode == 0, told.stdout
    assert not [s for s in found if "ollama" in s or s == "disk"]
    assert found["durability"]["level"] == "ok"
    assert "replay" not in found
    for less in ("-@all", "-@stream", "resetkeys ~orion:*"):
        with stack.store.client() as admin:
            admin.execute_command("ACL", "SETUSER", "default", *less.split())
            told = orion(stack, "operator", "doctor", "--json", KUBERNETES_SERVICE_HOST="10.43.0.1")
            admin.execute_command("ACL", "SETUSER", "default", "+@all", "resetkeys", "~*")
        levels = [f["level"] for f in json.loads(told.stdout) if f["subject"] == "replay"]
        assert levels == ["fail"], less
    for undo in ([], ["--undo"]):
        done = orion(stack, "operator", "drain", "pi-a", *undo)
        assert done.returncode == 0, done.stderr
    assert refusals(stack.store) == []


def test_a_router_and_a_worker_wait_for_the_library_and_say_who_loads_it(tmp_path: Path) -> None:
    """They may not load it themselves. Unready with the remedy; at work once it is there."""
    demand("valkey9")
    ports = [free_port(), free_port()]
    with server_with_users("valkey9", tmp_path / "store") as store:
        where = ["--redis-addr", f"127.0.0.1:{store.port}"]
        environment = {"ORION_METRICS_PORT": "0"}
        programs = [
            Program(role, [sys.executable, "-m", f"orion_{package}.main", *where,
                           *login(tmp_path, role), "--http-port", str(port)],
                    tmp_path / f"{role}.log", environment)
            for role, package, port in zip(("router", "worker"), ("router", "agent"), ports,
                                           strict=True)
        ]  # fmt: skip
        try:
            for program in programs:
                program.start()
            for program, port in zip(programs, ports, strict=True):
                until(lambda p=program: "start the operator" in p.tail(), f"{program.name} says it")
                assert ready(port).status_code == 503
            assert "orion ledger | redis-cli" in ready(ports[0]).text
            load_library(store)
            until(lambda: ready(ports[0]).status_code == 200, "the router is ready")
            with store.client() as client:
                until(lambda: client.scard(keys.NODES) == 1, "the worker has enlisted")
        finally:
            for program in programs:
                program.kill()


def ready(port: int) -> httpx.Response:
    """The readiness probe."""
    return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False)


def until(test: Any, what: str, within_s: float = 20.0) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            if test():
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
