"""What `orion up` leaves for the other commands to find: where it runs, and how to get in.

One file for each running `orion up`, readable by its owner only (it names the store's password),
in the state folder; the data and logs live in a data folder that outlasts it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from orion_cli.problem import Problem

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_REDIS = "127.0.0.1:6379"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A running `orion up`. `excluded` are the boards it shows but gives no work."""

    pid: int
    url: str
    redis_addr: str
    redis_password: str
    data: str
    started_at: float
    excluded: tuple[Mapping[str, str], ...] = ()
    ollama_hosts: tuple[str, ...] = ()
    pids: Mapping[str, int] = field(default_factory=dict[str, int])


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """$ORION_STATE, or `orion` in the user's state folder."""
    if given := environ.get("ORION_STATE"):
        return Path(given)
    base = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "orion"


def write_private(path: Path, text: str) -> None:
    """Replace a file with one that only its owner can read."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    os.replace(fresh, path)


def make_folder(path: Path) -> Path:
    """Make it, for its owner only; Problem where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Problem(
            f"the folder {path} cannot be made: {error.strerror}",
            "choose another one with --data DIR, and set ORION_STATE for the state folder",
        ) from error
    return path


def hold(data: Path) -> IO[str]:
    """Take the data folder for this process alone, as long as the answer stays open."""
    lock = (make_folder(data) / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        where = next((r.url for r in runs() if r.data == str(data)), "")
        raise Problem(
            f"`orion up` runs already on {data}" + (f", at {where}" if where else ""),
            "use that one, stop it with Ctrl-C, or start another: orion up --data DIR --port PORT",
        ) from None
    return lock


def password_file(data: Path) -> Path:
    """The store's password, made when first asked for."""
    path = data / "password"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path


def _file(run: Run) -> Path:
    return state_folder() / "runs" / f"{run.pid}.json"


def announce(run: Run) -> None:
    """Let the other commands find this run."""
    path = _file(run)
    make_folder(path.parent)
    write_private(path, json.dumps(asdict(run)))


def withdraw(run: Run) -> None:
    """It is over."""
    _file(run).unlink(missing_ok=True)


def runs() -> list[Run]:
    """Those that run now, the newest first; files of processes that died are removed."""
    found: list[Run] = []
    for path in (state_folder() / "runs").glob("*.json"):
        run = _read(path)
        if run is None or not _is_alive(run.pid):
            path.unlink(missing_ok=True)
        else:
            found.append(run)
    return sorted(found, key=lambda run: run.started_at, reverse=True)


def _read(path: Path) -> Run | None:
    try:
        values = cast(dict[str, Any], json.loads(path.read_text()))
        for name in ("excluded", "ollama_hosts"):
            values[name] = tuple(values.get(name, ()))
        return Run(**values)
    except (OSError, ValueError, TypeError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """How to get into the store."""

    address: str
    password: str = ""
    username: str = ""


def find_url(given: str, environ: Mapping[str, str] = os.environ) -> str:
    """The gateway: the flag, ORION_URL, the newest `orion up`, or the default."""
    if url := given or environ.get("ORION_URL", ""):
        return (url if "://" in url else f"http://{url}").rstrip("/")
    running = runs()
    return running[0].url if running else DEFAULT_URL


def find_store(
    address: str, password: str, file: str, environ: Mapping[str, str] = os.environ
) -> StoreAddress:
    """The store: the flags, ORION_REDIS_…, the newest `orion up`, or the default."""
    from orion_contracts.store import read_password

    password = password or environ.get("ORION_REDIS_PASSWORD", "")
    file = file or environ.get("ORION_REDIS_PASSWORD_FILE", "")
    user = environ.get("ORION_REDIS_USERNAME", "")
    if found := address or environ.get("ORION_REDIS_ADDR", ""):
        return StoreAddress(found, read_password(password, file), user)
    if running := runs():
        return StoreAddress(running[0].redis_addr, running[0].redis_password)
    return StoreAddress(DEFAULT_REDIS, read_password(password, file), user)
