"""The two programs that the chart carries: `prepare` on a board, and `helm test`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chart.rendering import CHART, objects, one

pytestmark = pytest.mark.timeout(60)
HEALTH = {
    "status": "pass",
    "checks": {"nodes:ready": [
        {"observedValue": 1},
        {"componentId": "pi-8gb", "observedValue": "cooling", "output": "temperature"},
    ]},
}  # fmt: skip
ANSWER = {"message": {"content": "Hello."}, "done": True}


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program as the container runs it: Python and the file, nothing installed."""
    command = [sys.executable, "-I", str(CHART / "files" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


class Router:
    """Answers like ours; each path has its answer, `None` is a 503."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "/health": HEALTH,
            "/api/tags": {"models": [{"name": "a:1b"}, {"name": "b:1b"}]},
            "/api/chat": ANSWER,
        }
        self.asked: list[Any] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                """The answer of the path."""
                found = outer.answers[self.path]
                body = json.dumps(found or {"error": "no board may take work"}).encode()
                self.send_response(200 if found else 503)
                self.send_header("x-orion-node", "pi-16gb")
                self.send_header("x-orion-residency", "warm")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                """Read."""
                self.answer()

            def do_POST(self) -> None:
                """Ask."""
                length = int(self.headers["content-length"])
                outer.asked.append(json.loads(self.rfile.read(length)))
                self.answer()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def router() -> Iterator[Router]:
    """One that serves."""
    found = Router()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def test_helm_test_tells_where_the_answer_was_made(router: Router) -> None:
    """Health, boards with their reasons, models, and node, warmth and text of one answer."""
    done = run("ask.py", router.url, "--timeout-s=10")

    assert done.returncode == 0, done.stdout
    assert "pi-8gb: cooling (temperature)" in done.stdout
    assert "a:1b, b:1b" in done.stdout
    assert "pi-16gb (warm)" in done.stdout
    assert "'Hello.'" in done.stdout
    assert router.asked[0]["model"] == "a:1b"


def test_helm_test_asks_the_model_it_is_told(router: Router) -> None:
    """--model."""
    run("ask.py", router.url, "--timeout-s=10", "--model=b:1b")

    assert router.asked[0]["model"] == "b:1b"


def test_helm_test_passes_without_any_model(router: Router) -> None:
    """A system without models is well, and the test says how to get one."""
    router.answers["/api/tags"] = {"models": []}
    done = run("ask.py", router.url, "--timeout-s=10")

    assert done.returncode == 0
    assert "spec.models" in done.stdout


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("/health", None, "no board may take work"),
        ("/api/chat", None, "503"),
        ("/api/chat", {"message": {"content": ""}, "done": True}, "no answer"),
    ],
)
def test_helm_test_fails_with_the_systems_words(
    router: Router, path: str, answer: Any, said: str
) -> None:
    """Not well, refused, or silent: status 1 and what was said."""
    router.answers[path] = answer
    done = run("ask.py", router.url, "--timeout-s=1")

    assert done.returncode == 1
    assert said in done.stdout


def test_helm_test_fails_where_nobody_answers() -> None:
    """A router that is not there."""
    done = run("ask.py", "http://127.0.0.1:1", "--timeout-s=1")

    assert done.returncode == 1
    assert "FAILED" in done.stdout


def test_prepare_changes_owners_where_they_differ(tmp_path: Path) -> None:
    """All of the folder, links themselves and not their targets; a second run changes nothing."""
    outside = tmp_path / "outside"
    outside.touch()
    folder = tmp_path / "models"
    (folder / "blobs").mkdir(parents=True)
    (folder / "blobs" / "sha256-1").touch()
    (folder / "link").symlink_to(outside)
    root = os.getuid() == 0
    user, group = (64000, 64000) if root else (os.getuid(), os.getgid())

    first = run("prepare.py", str(folder), str(user), str(group))
    second = run("prepare.py", str(folder), str(user), str(group))

    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert f"{4 if root else 0} owners changed" in first.stderr
    assert "0 owners changed" in second.stderr
    everything = [folder, *folder.rglob("*")]
    assert {(p.lstat().st_uid, p.lstat().st_gid) for p in everything} == {(user, group)}
    assert outside.stat().st_uid == os.getuid()


def test_prepare_says_what_to_do_where_it_may_not(tmp_path: Path) -> None:
    """A folder that cannot be changed: status 1, the reason, and the command for the board."""
    done = run("prepare.py", str(tmp_path / "absent"), "1", "1")

    assert done.returncode == 1
    assert "No such file" in done.stderr
    assert "chown -R 1:1" in done.stderr


@pytest.mark.needs("helm")
def test_the_pods_get_the_files_as_they_are() -> None:
    """The ConfigMaps hold what this test has run."""
    found = objects()
    for name, file in (("prepare", "prepare.py"), ("test", "ask.py")):
        mapped = one(found, f"ConfigMap/orion-inference-{name}")["data"][file]
        assert mapped == (CHART / "files" / file).read_text()
