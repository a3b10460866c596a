"""Which web pages may use this address: Ollama's rule for the Origin that browsers send (pure).

Without it any page that somebody happens to open could use up the boards of their network: a
browser sends a simple POST to wherever a page asks, and only the answer is kept from the page.
"""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from orion_router.gateway.body import Scope
from orion_router.gateway.faults import Fault
from orion_router.gateway.headers import HeaderList

LOCAL: Final = tuple(
    f"{scheme}://{host}{port}"
    for host in ("localhost", "127.0.0.1", "0.0.0.0")
    for scheme in ("http", "https")
    for port in ("", ":*")
)
APPS: Final = ("app://*", "file://*", "tauri://*", "vscode-webview://*", "vscode-file://*")
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
"""They change nothing, and a foreign page cannot see their answers."""

SEVERAL: Final = b""
"""No pattern allows it, not even `*`."""
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/,]+")
_ALLOWED_HEADERS: Final = (
    "Authorization, Content-Type, User-Agent, Accept, X-Requested-With, OpenAI-Beta, "
    "Idempotency-Key, Last-Event-ID, "
    "X-Orion-Request-Id, X-Orion-Priority, X-Orion-Deadline-Ms, X-Orion-Session, "
    "X-Stainless-Arch, X-Stainless-Async, X-Stainless-Custom-Poll-Interval, "
    "X-Stainless-Helper-Method, X-Stainless-Lang, X-Stainless-Os, X-Stainless-Package-Version, "
    "X-Stainless-Poll-Helper, X-Stainless-Retry-Count, X-Stainless-Runtime, "
    "X-Stainless-Runtime-Version, X-Stainless-Timeout"
)
_PREFLIGHT: Final[HeaderList] = [
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, HEAD"),
    (b"access-control-allow-headers", _ALLOWED_HEADERS.encode()),
    (b"access-control-max-age", b"43200"),
    (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
]
_SHOWN: Final[HeaderList] = [
    (
        b"access-control-expose-headers",
        b"X-Orion-Request-Id, X-Orion-Node, X-Orion-Queue-Ms, X-Orion-Attempts, "
        b"X-Orion-Residency, Retry-After, Location",
    ),
    (b"vary", b"Origin"),
]


class Verdict(NamedTuple):
    """What to do with a request: go on, with these headers in the answer; or answer at once,
    `status` 204 (a preflight) or 403."""

    status: int
    headers: HeaderList
    fault: Fault | None = None


PASS: Final = Verdict(0, [])


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins that are allowed besides the router's own."""

    patterns: tuple[re.Pattern[str], ...]

    @classmethod
    def allowing(cls, more: Iterable[str] = ()) -> Origins:
        """Pages of this computer and desktop applications, as with Ollama, and `more`."""
        return cls(tuple(map(_pattern, (*LOCAL, *APPS, *more))))

    def judge(self, origin: bytes, scope: Scope) -> Verdict:
        """The verdict on a request that names its origin."""
        text = origin.decode("latin-1")
        if text in _own(scope):
            return PASS
        method = scope["method"]
        if any(pattern.fullmatch(text) for pattern in self.patterns):
            shown: HeaderList = [(b"access-control-allow-origin", origin)]
            if method == "OPTIONS":
                return Verdict(204, shown + _PREFLIGHT)
            return Verdict(0, shown + _SHOWN)
        if method in SAFE_METHODS:
            return PASS
        text = f"pages of {text[:100] or 'no one origin'} may not use this address; see --origins"
        return Verdict(403, [], Fault(403, text, "origin_not_allowed"))


def origin_of(scope: Scope) -> bytes | None:
    """The Origin header, where there is one: browsers send it, programs do not. Several become
    one that no pattern allows: no browser sends two, and whoever does wants one overlooked."""
    found: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"origin":
            found = bytes(value) if found is None else SEVERAL
    return found


def _own(scope: Scope) -> tuple[str, ...]:
    for name, value in scope["headers"]:
        if name == b"host":
            host = value.decode("latin-1")
            return f"http://{host}", f"https://{host}"
    return ()


def _pattern(origin: str) -> re.Pattern[str]:
    """`*` stands for any name, or part of one; after a colon for any port; alone for anything."""
    if origin == "*":
        return re.compile(r".+")
    spelled = re.escape(origin).replace(r":\*", r":\d{1,5}").replace(r"\*", r"[^\s/:]*")
    return re.compile(spelled)


def read_origins(text: str) -> tuple[str, ...]:
    """The value of `--origins`: `http://webui.local:3000,https://*.example.org`, or `*`."""
    found = tuple(each.strip().rstrip("/").lower() for each in text.split(",") if each.strip())
    for each in found:
        if each != "*" and _ORIGIN.fullmatch(each) is None:
            raise ArgumentTypeError(
                f"{each!r} is not an origin: write https://name or https://name:port, where * may "
                "stand for a part of the name or for the port; or * alone for any page"
            )
    return found
