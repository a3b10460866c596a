"""The store's address and password, as flags give them. Imports no client: `--help` is quick."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from orion_contracts.errors import Misconfigured

_SCHEMES = ("redis://", "rediss://", "unix://")


def store_url(address: str) -> str:
    """A redis:// or rediss:// URL from `host:port`, `host` or a URL. Raises Misconfigured."""
    if "://" not in address:
        host, _, port = address.rpartition(":") if ":" in address else (address, "", "6379")
        if not host or not _is_port(port) or _is_broken(address):
            raise Misconfigured(f"--redis-addr {address!r}: write host:port or redis://host:port/0")
        return f"redis://{host}:{port}/0"
    shown = f"{address.partition('://')[0]}://{address.rpartition('@')[2].rpartition('://')[2]}"
    if not address.startswith(_SCHEMES):
        raise Misconfigured(
            f"--redis-addr {shown!r}: write host:port, redis://, rediss:// or unix://"
        )
    try:
        broken = _is_broken(address) or urlsplit(address).port == 0
    except ValueError:  # no number, or no port
        broken = True
    if broken:
        raise Misconfigured(f"--redis-addr {shown!r}: write redis://host:port/0")
    return address


def read_password(password: str, file: str) -> str:
    """The password, from a file where one is named (preferred: it is not seen by `ps`)."""
    if not file:
        return password
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise Misconfigured(f"--redis-password-file {file}: {error.strerror}") from error
    except ValueError as error:
        raise Misconfigured(f"--redis-password-file {file}: it is not UTF-8") from error


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536


def _is_broken(address: str) -> bool:
    return not address.isprintable() or any(char.isspace() for char in address)
