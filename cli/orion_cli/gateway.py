"""Talking to the gateway: one client, and errors that say what to do."""

from __future__ import annotations

import time
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from orion_cli.problem import FAILED, UNREACHABLE, Problem
from orion_cli.state import runs

CONNECT_S = 5.0
BACK_WITHIN_S = 15.0
"""How long the router of a living `orion up` is waited for: one that died is being restarted."""
PAUSE_S = 0.1
NOT_FOUND = 404
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
START_IT = "start it with `orion up`, or name another one with --url or ORION_URL"


def trusts_proxies(url: str) -> bool:
    """Proxies of the environment are for elsewhere, never for this computer."""
    try:
        return urlsplit(url).hostname not in LOOPBACK
    except ValueError:
        return True


def client(url: str, read_s: float | None = 10.0) -> httpx.Client:
    """A client; `read_s` None waits as long as the queue takes."""
    times = httpx.Timeout(CONNECT_S, read=read_s)
    try:
        if any(run.url == url for run in runs()):
            return httpx.Client(base_url=url, timeout=times, transport=Patient(), trust_env=False)
        return httpx.Client(base_url=url, timeout=times, trust_env=trusts_proxies(url))
    except (httpx.InvalidURL, ValueError) as error:
        raise unreachable(url, error) from error


class Patient(httpx.HTTPTransport):
    """Connects again for a while: to the gateway of an `orion up` that runs here."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """As the base class; what was refused has not reached anybody and is asked again."""
        until_s = time.monotonic() + BACK_WITHIN_S
        while True:
            try:
                return super().handle_request(request)
            except httpx.ConnectError:
                if time.monotonic() > until_s:
                    raise
                time.sleep(PAUSE_S)


def unreachable(url: str, error: Exception) -> Problem:
    """Nobody answers there."""
    said = str(error) or type(error).__name__
    return Problem(f"no gateway answers at {url}: {said}", START_IT, UNREACHABLE)


def fetch(http: httpx.Client, path: str) -> dict[str, Any]:
    """A JSON object; Problem with what the gateway said otherwise."""
    answer = _asked(http, path)
    if not answer.is_success:
        raise refused(answer)
    return _read(http, path, answer)


def find(http: httpx.Client, path: str) -> dict[str, Any] | None:
    """As `fetch`; None where the gateway knows no such thing."""
    answer = _asked(http, path)
    if answer.status_code == NOT_FOUND:
        return None
    if not answer.is_success:
        raise refused(answer)
    return _read(http, path, answer)


def _asked(http: httpx.Client, path: str) -> httpx.Response:
    try:
        return http.get(path)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise unreachable(str(http.base_url), error) from error


def _read(http: httpx.Client, path: str, answer: httpx.Response) -> dict[str, Any]:
    try:
        return cast(dict[str, Any], answer.json())
    except ValueError as error:
        raise Problem(
            f"{http.base_url}{path} answers, but not like our gateway", START_IT, UNREACHABLE
        ) from error


def refused(answer: httpx.Response) -> Problem:
    """The gateway's own words, and a remedy where its status suggests one."""
    text = error_text(answer)
    request_id = answer.headers.get("x-orion-request-id", "")
    remedy = REMEDIES.get(answer.status_code, "")
    if answer.status_code in (429, 503) and (wait := answer.headers.get("retry-after")):
        remedy = f"try again in {wait} s; `orion status` shows the boards and the queue"
    mention = f" (request {request_id})" if request_id else ""
    return Problem(f"{text}{mention}", remedy, FAILED)


def error_text(answer: httpx.Response) -> str:
    """What went wrong, from any of the error shapes that gateways send."""
    try:
        document: Any = answer.json()
    except ValueError:
        document = None
    said: Any = cast(dict[str, Any], document).get("error") if isinstance(document, dict) else None
    if isinstance(said, dict):
        said = cast(dict[str, Any], said).get("message")
    return str(said) if said else f"the gateway answered {answer.status_code}"


REMEDIES = {
    401: "an API key is needed: set ORION_API_KEY",
    403: "this gateway does not allow that",
    404: "`orion status` shows which models the boards have; pull it on a board: ollama pull MODEL",
    413: "make the request smaller",
    429: "try again later; `orion status` shows the queue",
    502: "the board's Ollama failed; `orion doctor` says more",
    503: "no board takes work now; `orion status` says why",
}
