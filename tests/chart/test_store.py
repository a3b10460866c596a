"""The store that the chart brings, with its real configuration: checks 19 to 23."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
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
    users = tmp_path / "users.acl"
    users.write_text(acl_file({user: f"{user}-secret" for user in USERS}))
    port = free_port()
    here = {"port": str(port), "dir": str(tmp_path), "aclfile": str(users)}
    conf = tmp_path / "store.conf"
    conf.write_text("\n".join(f"{k} {v}" for k, v in {**configuration({}), **here}.items()))
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen([str(find_server(kind)), str(conf)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + WITHIN_S
        while not answers(port):
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
        yield port
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
