"""The thin parts: settings, commands, caches, the writer of the configuration, the definition."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any, cast

import kopf
import pytest

from orion_contracts.acl import ROLES, acl_file
from orion_operator import handlers, main
from orion_operator.acl_command import write_acl
from orion_operator.config_writer import ConfigWriter
from orion_operator.crd import REVISION, as_yaml, definition
from orion_operator.definition import compare
from orion_operator.handlers import Backoffs, make_registry, make_settings
from orion_operator.metrics import Metrics
from orion_operator.pods import PodFacts, read_pod
from orion_operator.settings import read_cleanup_settings, read_settings
from orion_operator.view import Cache, View

PASSWORDS = {role.name: f"secret-of-{role.name}" for role in ROLES}


def test_flags_and_variables_are_the_same() -> None:
    """As the chart gives them."""
    environ = {"ORION_NAMESPACE": "robot", "ORION_POD_NAME": "op-1", "ORION_NODE_NAME": "pi",
               "ORION_DEPLOYMENT": "orion-operator", "ORION_RELEASE": "orion"}  # fmt: skip
    settings = read_settings(["--redis-addr=store:6379"], environ)

    assert (settings.namespace, settings.pod_name, settings.node_name) == ("robot", "op-1", "pi")
    assert (settings.deployment, settings.release) == ("orion-operator", "orion")
    assert (settings.http_port, settings.metrics_port) == (8082, 9092)
    assert settings.lease == "orion-inference-operator"
    assert read_cleanup_settings([], environ).namespace == "robot"


@pytest.mark.parametrize("argv", [["--http-port=x"], ["--log-level=loud"], ["--nonsense"]])
def test_nonsense_ends_with_a_message(argv: list[str]) -> None:
    """Status 2, no traceback."""
    with pytest.raises(SystemExit) as ended:
        read_settings(argv, {})
    assert ended.value.code == 2


def test_the_definition_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`orion-inference-operator crd` is what the chart packages."""
    assert main.main(["crd"]) == 0
    assert capsys.readouterr().out == as_yaml()


def test_the_stores_users_are_rendered_from_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file for each role, as a Secret is mounted; the result is not for everybody."""
    folder = tmp_path / "store"
    folder.mkdir()
    for role, password in PASSWORDS.items():
        (folder / f"{role}-password").write_text(password + "\n")
    (folder / "..data").mkdir()
    out = tmp_path / "users.acl"

    assert write_acl(["--passwords-dir", str(folder), "--out", str(out)]) == 0
    assert out.read_text() == acl_file(PASSWORDS)
    assert out.stat().st_mode & 0o777 == 0o640
    assert write_acl(["--passwords-dir", str(folder), "--out", str(out)]) == 0

    (folder / "router-password").write_text("")
    assert write_acl(["--passwords-dir", str(folder), "--out", str(out)]) == 1
    assert "no password for router" in capsys.readouterr().err
    assert write_acl(["--passwords-dir", str(tmp_path / "gone"), "--out", str(out)]) == 1


def test_only_handlers_that_write_nothing_are_used() -> None:
    """kopf.index and kopf.on.event leave no finalizer and no annotation; handlers are short."""
    tree = ast.parse(inspect.getsource(handlers))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef)]
    decorators = {ast.unparse(cast(ast.Call, d).func) for f in functions for d in f.decorator_list}

    assert decorators == {"kopf.on.login", "kopf.index", "kopf.on.event"}
    assert all(len(ast.unparse(f).splitlines()) <= 9 for f in functions)


def test_the_registry_watches_five_kinds() -> None:
    """Nodes, pods, DaemonSets, their revisions, our resources; nothing that patches."""
    api: Any = None
    registry: Any = make_registry(View(), api)
    followed = {str(h.selector) for h in registry._watching.get_all_handlers()}

    assert len(followed) == 5
    assert not registry._changing.get_all_handlers()
    assert not registry._spawning.get_all_handlers()


def test_kopf_writes_and_scans_nothing() -> None:
    """Neither Events nor a search for namespaces and CRDs; only what is the release's."""
    settings: kopf.OperatorSettings = make_settings("orion")

    assert settings.scanning.disabled
    assert not settings.posting.enabled
    assert [*settings.watching.label_selectors.values()] == ["app.kubernetes.io/instance=orion"] * 3
    assert not make_settings("").watching.label_selectors


def test_a_cluster_that_is_away_is_asked_again_for_ever() -> None:
    """Each request begins with short pauses of its own."""
    first, second = iter(Backoffs()), iter(Backoffs())

    assert [next(first) for _ in range(10)] == [1, 1, 2, 3, 5, 8, 13, 21, 30, 30]
    assert next(second) == 1


def test_a_cache_rings_for_what_counts() -> None:
    """Not for a heartbeat; yes for a change, a deletion, and what a new watch does not list."""
    rung: list[int] = []
    cache: Cache[PodFacts] = Cache(read_pod, lambda: rung.append(1), lambda pod: pod.missing)

    def pod(name: str, reason: str = "") -> dict[str, Any]:
        state: dict[str, Any] = {"waiting": {"reason": reason}} if reason else {"running": {}}
        statuses: list[dict[str, Any]] = [{"image": "i", "state": state}]
        return {"metadata": {"name": name}, "status": {"containerStatuses": statuses}}

    cache.seen(pod("a"))
    cache.seen(pod("a"))
    assert len(rung) == 1
    cache.seen(pod("a", "ErrImagePull"))
    cache.seen(pod("b"))
    assert len(rung) == 3
    cache.keep({"b"})
    assert (len(rung), set(cache.items)) == (4, {"b"})
    cache.gone("b")
    cache.gone("b")
    assert (len(rung), cache.items) == (5, {})


@pytest.mark.parametrize(
    ("revision", "verdict"),
    [(None, "older"), ("", "older"), ("x", "older"), (str(REVISION - 1), "older"),
     (str(REVISION), "same"), (str(REVISION + 1), "newer")],
)  # fmt: skip
def test_a_definition_goes_forward_only(revision: str | None, verdict: str) -> None:
    """An operator of yesterday leaves today's definition alone."""
    present = definition()
    present["metadata"]["annotations"] = (
        {} if revision is None else {"inference.orion.dev/crd-revision": revision}
    )

    assert compare(present) == verdict
    assert compare(None) == "missing"


class FakeLink:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []

    async def write(self, document: dict[str, Any]) -> None:
        self.written.append(document)


class FakeLease:
    """Held, or not."""

    held = True

    async def confirm(self) -> bool:
        return self.held


def writer() -> tuple[ConfigWriter, FakeLink, FakeLease]:
    link, lease = FakeLink(), FakeLease()
    any_link, any_lease = cast(Any, link), cast(Any, lease)
    return ConfigWriter(any_link, any_lease, Metrics(), "robot", lambda: 1e9), link, lease


CONTENT: dict[str, Any] = {
    "version": "1.0",
    "source": "orion-inference-operator/robot",
    "models": [],
}


async def test_the_configuration_is_written_when_it_differs_or_is_gone() -> None:
    """And not otherwise; an emptied store gets the next generation, not the first one."""
    config, link, _ = writer()
    config.saw(None)
    assert await config.write(CONTENT)
    config.saw(link.written[0])
    assert not await config.write(CONTENT)
    config.saw(None)
    assert await config.write(CONTENT)

    assert [w["generation"] for w in link.written] == [1, 2]
    assert config.generation == 2


async def test_who_lost_the_lease_writes_nothing() -> None:
    """It is asked for at the moment of writing."""
    config, link, lease = writer()
    lease.held = False
    config.saw(None)

    assert not await config.write(CONTENT)
    assert link.written == []


async def test_another_operator_on_the_same_store_is_noticed() -> None:
    """One's first write may replace what was there before; being overwritten means a rival."""
    config, link, _ = writer()
    rival: dict[str, Any] = {**CONTENT, "source": "orion-inference-operator/lab", "generation": 9}
    config.saw(rival)
    assert config.shared_with == ""
    assert await config.write(CONTENT)
    config.saw({**rival, "generation": 11})

    assert config.shared_with == "orion-inference-operator/lab"
    assert not await config.write(CONTENT)
    assert len(link.written) == 1


def test_boards_are_counted_by_state() -> None:
    """A state that nobody is in any more is gone."""
    metrics = Metrics()
    metrics.count(["Eligible", "Eligible", "Hot"])
    metrics.count(["Eligible", "Silent"])
    found = {s.labels["state"]: s.value for m in metrics.boards.collect() for s in m.samples}

    assert found == {"Eligible": 1.0, "Silent": 1.0}
