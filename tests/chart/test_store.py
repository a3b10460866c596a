"""The store that the chart brings, with its real configuration: checks 19 to 23."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from chart import matrix
from chart.rendering import objects, one, pod
from orion_contracts.acl import USERS, acl_file
from orion_lab.stores import KINDS, Kind, find_server, free_port
from servers.needs import demand

pytestmark = [pytest.mark.needs("helm"), pytest.mark.timeout(60)]
WITHIN_S = 20.0


def configuration(values: matrix.Values) -> dict[str, str]:
    """What the ConfigMap holds, by word."""
    text = one(objects(values), "ConfigMap/orion-inference-store")["data"]["store.conf"]
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split(" ", 1) for line in lines)


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """A real store with the rendered configuration and our users; its port."""
    kind: Kind = request.param
    demand(kind)
    port = free_port()
    with running(kind, tmp_path, {**configuration({}), "port": str(port)}) as log:
        deadline = time.monotonic() + WITHIN_S
        while not answers(port):
            assert time.monotonic() < deadline, log.read_text()
        yield port


@contextlib.contextmanager
def running(kind: Kind, folder: Path, words: dict[str, str]) -> Generator[Path]:
    """The server with this configuration and our users in a folder of the test; its log."""
    users = folder / "users.acl"
    users.write_text(acl_file({user: f"{user}-secret" for user in USERS}))
    here = {"dir": str(folder), "aclfile": str(users)}
    conf = folder / "store.conf"
    conf.write_text("\n".join(f"{k} {v}" for k, v in {**words, **here}.items()))
    log = (folder / "log").open("w")
    process = subprocess.Popen([str(find_server(kind)), str(conf)], stdout=log, stderr=log)
    try:
        yield folder / "log"
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def answers(port: int) -> bool:
    """Whether `probe` gets an answer to its PING, with any password."""
    try:
        with client(port, "probe", "anything") as probe:
            return bool(probe.ping())
    except redis.RedisError:
        return False


def client(port: int, user: str | None, password: str | None) -> redis.Redis:
    """A connection as that user."""
    never = Retry(NoBackoff(), 0)
    return redis.Redis(port=port, username=user, password=password, socket_timeout=5, retry=never)


def test_nothing_is_forgotten() -> None:
    """Writes are on disk before they are answered; a full store refuses, and evicts nothing."""
    words = configuration({})

    assert (words["appendonly"], words["appendfsync"]) == ("yes", "always")
    assert words["maxmemory-policy"] == "noeviction"
    assert words["maxmemory-clients"] == "0"
    assert configuration(matrix.CHOICES["store"]["own-secret"])["appendfsync"] == "everysec"


def test_half_of_its_memory_is_left_for_rewrites() -> None:
    """maxmemory is at most half of the container's limit."""
    store = pod(objects(), "StatefulSet/orion-inference-store").container("store")
    limit = store["resources"]["limits"]["memory"]

    assert limit.endswith("Mi")
    assert 2 * int(configuration({})["maxmemory"].removesuffix("mb")) <= int(limit[:-2])


def test_19_20_21_strangers_get_nothing(server: int) -> None:
    """Protected mode is on and `default` off: no PING without a user; `probe` may PING only."""
    assert configuration({})["protected-mode"] == "yes"
    for user, password in ((None, None), ("default", ""), ("router", "wrong")):
        with client(server, user, password) as store, pytest.raises(redis.RedisError):
            store.ping()
    with client(server, "probe", "probe") as store:
        assert store.ping()
        with pytest.raises(NoPermissionError):
            store.get("orion:inference:config")
    with client(server, "router", "router-secret") as store:
        assert store.ping()


@pytest.mark.needs("redis7", "openssl")
def test_19_with_tls_the_plain_port_is_closed(tmp_path: Path) -> None:
    """store.tls: our client gets in with SSL_CERT_FILE, as in a pod; a plain PING gets nothing."""
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", str(tmp_path / "tls.key"), "-out", str(tmp_path / "tls.crt")]  # fmt: skip
    subprocess.run(make, check=True, capture_output=True, timeout=30)
    (tmp_path / "ca.crt").write_bytes((tmp_path / "tls.crt").read_bytes())
    port = free_port()
    words = configuration({"store": {"tls": {"secretName": "mine"}}})
    assert (words["port"], words["tls-port"]) == ("0", "6379")
    words = {k: v.replace("/etc/orion/tls", str(tmp_path)) for k, v in words.items()}
    words["tls-port"] = str(port)
    program = (
        "from orion_contracts.store import connect_sync as c; "
        f"print(c('rediss://localhost:{port}', 'router-secret', 'router').ping())"
    )
    environment = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "ca.crt")}

    with running("redis7", tmp_path, words) as log:
        deadline = time.monotonic() + WITHIN_S
        said = ""
        while said != "True\n":
            assert time.monotonic() < deadline, f"{said}{log.read_text()}"
            done = subprocess.run([sys.executable, "-c", program], env=environment, text=True,
                                  capture_output=True, check=False, timeout=30)  # fmt: skip
            said = done.stdout or done.stderr
        assert not answers(port)
        without = subprocess.run([sys.executable, "-c", program], text=True,
                                 capture_output=True, check=False, timeout=30)  # fmt: skip
        assert "CERTIFICATE_VERIFY_FAILED" in without.stderr


def test_23_no_prompt_is_kept_in_a_log(server: int) -> None:
    """The slow log, which holds arguments, is off."""
    del server
    words = configuration({})

    assert (words["slowlog-log-slower-than"], words["slowlog-max-len"]) == ("-1", "0")


@pytest.mark.needs("redis7")
def test_the_readiness_probe_tells_ready_from_not(server: int) -> None:
    """The container's own command, with Redis's client: 0 when served, another status when not."""
    demand("redis-cli")
    store = pod(objects({"store": {"commands": {"cli": "redis-cli"}}}),
                "StatefulSet/orion-inference-store").container("store")  # fmt: skip
    command = list[str](store["readinessProbe"]["exec"]["command"])

    def status(*more: str) -> int:
        whole = [command[0], *more, *command[1:]]
        return subprocess.run(whole, capture_output=True, check=False, timeout=10).returncode

    assert status("-p", str(server)) == 0
    assert status("-p", str(free_port())) != 0
    command[command.index("probe", command.index("--user"))] = "nobody"
    assert status("-p", str(server)) != 0
