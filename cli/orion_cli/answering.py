"""One streamed answer, followed through everything that may happen to the router meanwhile.

The request carries an id of ours, so that asking again attaches to it instead of running it twice:
where the connection breaks off, the answer goes on after what was already printed.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Mapping
from typing import Any, cast

import httpx

from orion_cli import gateway
from orion_cli.problem import FAILED, UNREACHABLE, Problem
from orion_cli.terminal import console, printable

REJOIN_WITHIN_S = 30.0
PAUSE_S = 0.25
ENDING = "shutting down"
"""What a router says to its clients when it ends; the request goes on without it."""


class _Broken(Exception):
    """The connection broke off, or the router is not back yet."""


class Answer:
    """The answer to one request."""

    def __init__(self, http: httpx.Client, body: Mapping[str, Any], request_id: str) -> None:
        self._http = http
        self._body = body
        self._id = request_id
        self._said = ""
        self._again = 0
        self._waiting = console(stderr=True).status("waiting for a board")

    def print(self) -> tuple[str, str]:
        """Print it as it comes; the whole text, and a line about who said it how fast."""
        if sys.stderr.isatty():
            self._waiting.start()
        try:
            return self._print()
        except KeyboardInterrupt:
            self._waiting.stop()
            with contextlib.suppress(httpx.HTTPError):  # a request with an id outlives its client
                self._http.delete(f"/v1/requests/{self._id}", timeout=2.0)
            raise
        finally:
            self._waiting.stop()
            if self._said and not self._said.endswith("\n"):
                print(flush=True)

    def _print(self) -> tuple[str, str]:
        until_s = time.monotonic() + REJOIN_WITHIN_S
        while True:
            heard = len(self._said)
            try:
                line = self._attempt()
                return self._said, line
            except _Broken as error:
                if len(self._said) > heard or not self._again:
                    until_s = time.monotonic() + REJOIN_WITHIN_S
                self._again += 1
                if time.monotonic() > until_s:
                    raise Problem(
                        f"the gateway went away and did not come back: {error}",
                        f"the request is kept: GET /v1/requests/{self._id} gives its answer",
                        UNREACHABLE,
                    ) from error
                time.sleep(PAUSE_S)

    def _attempt(self) -> str:
        headers = {"x-orion-request-id": self._id}
        try:
            with self._http.stream("POST", "/api/chat", json=self._body, headers=headers) as answer:
                if not answer.is_success:
                    answer.read()
                    text = gateway.error_text(answer)
                    away = answer.status_code in (502, 503, 504)
                    if away and (self._again or ENDING in text):
                        raise _Broken(text)
                    raise gateway.refused(answer)
                last = self._follow(answer)
                return note(answer.headers, last, self._again)
        except httpx.ConnectError as error:
            if not self._again:
                raise gateway.unreachable(str(self._http.base_url), error) from error
            raise _Broken(str(error)) from error
        except httpx.TransportError as error:
            raise _Broken(str(error) or type(error).__name__) from error

    def _follow(self, answer: httpx.Response) -> dict[str, Any]:
        """The last line of the stream, which carries the counts."""
        repeated = ""
        due = self._said  # what a second look at the same answer has to begin with
        for line in answer.iter_lines():
            if not line:
                continue
            document = _parse(line)
            if failure := document.get("error"):
                if ENDING in str(failure):
                    raise _Broken(str(failure))
                raise Problem(str(failure), "ask again; `orion status` shows the boards", FAILED)
            piece = str(document.get("message", {}).get("content", ""))
            if len(repeated) < len(due):
                repeated += piece
                piece = repeated[len(due) :]
                if not (repeated.startswith(due) or due.startswith(repeated)):
                    raise Problem("the answer began anew and differs", "ask again")
            if piece:
                self._waiting.stop()
                self._said += piece
                print(printable(piece), end="", flush=True)
            if document.get("done"):
                return document
        raise _Broken("the answer ended before it was complete")


def _parse(line: str) -> dict[str, Any]:
    try:
        return cast(dict[str, Any], json.loads(line))
    except ValueError as error:
        raise Problem("the gateway sent a line that is no JSON", "is --url right?") from error


def note(headers: httpx.Headers, last: Mapping[str, Any], rejoined: int) -> str:
    """Who answered, how long it waited, how fast it was."""
    tokens, duration_ns = last.get("eval_count", 0), last.get("eval_duration", 0)
    parts: list[str] = [headers.get("x-orion-node", "unknown board")]
    parts.append(f"queued {headers.get('x-orion-queue-ms', '?')} ms")
    if headers.get("x-orion-residency") == "cold":
        parts.append("cold")
    rate = f", {tokens / duration_ns * 1e9:.1f} tokens/s" if tokens and duration_ns else ""
    parts.append(f"{tokens} tokens{rate}")
    if rejoined:
        parts.append("rejoined after the connection broke off")
    return " · ".join(parts)
