"""`helm test`: asks the system for its health and for one answer, and says where it was made.

Only the standard library: the same file runs in the cluster and in this project's tests.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any

PAUSE_S = 2.0


class Refused(Exception):
    """The system answered, and said no."""


def call(
    url: str, body: dict[str, Any] | None, timeout_s: float
) -> tuple[dict[str, Any], dict[str, str]]:
    """The JSON answer and its headers. Raises Refused with the server's words, or OSError."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return json.loads(answer.read()), headers
    except urllib.error.HTTPError as error:
        raise Refused(f"{url}: {error.code} {error.read(2000).decode(errors='replace')}") from None


def persist(url: str, deadline: float) -> dict[str, Any]:
    """GET until it is answered or the time is up: a router that just started gets its chance."""
    while True:
        try:
            return call(url, None, 10.0)[0]
        except (OSError, Refused) as error:
            if time.monotonic() + PAUSE_S > deadline:
                raise Refused(f"{url}: {error}") from None
            time.sleep(PAUSE_S)


def ask(base: str, model: str, timeout_s: float) -> list[str]:
    """Lines that say what was found. Raises Refused where something does not work."""
    deadline = time.monotonic() + timeout_s
    health = persist(f"{base}/health", deadline)
    lines = [f"health    {health['status']}"]
    for check in health.get("checks", {}).get("nodes:ready", []):
        if "componentId" in check:
            reason = f" ({check['output']})" if "output" in check else ""
            lines.append(f"board     {check['componentId']}: {check['observedValue']}{reason}")
    names = [str(each["name"]) for each in persist(f"{base}/api/tags", deadline).get("models", [])]
    lines.append(f"models    {', '.join(names) or 'none'}")
    if not model and not names:
        lines.append("no model is there yet: add one to the InferenceCluster's spec.models")
        return lines
    model = model or names[0]
    began = time.monotonic()
    question = {"role": "user", "content": "Say hello."}
    body = {"model": model, "messages": [question], "stream": False, "options": {"num_predict": 16}}
    answer, headers = call(f"{base}/api/chat", body, max(1.0, deadline - began))
    text = str(answer.get("message", {}).get("content", ""))
    if not answer.get("done") or not text.strip():
        raise Refused(f"{model} gave no answer: {answer}")
    lines.append(f"model     {model}")
    lines.append(
        f"node      {headers.get('x-orion-node', '?')} ({headers.get('x-orion-residency', '?')})"
    )
    lines.append(f"answer    {text!r} after {time.monotonic() - began:.1f} s")
    return lines


def main(arguments: list[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="the router, http://host:port")
    parser.add_argument("--model", default="", help="default: the first one that is there")
    parser.add_argument("--timeout-s", type=float, default=240.0)
    given = parser.parse_args(arguments)
    try:
        lines = ask(given.base.rstrip("/"), given.model, given.timeout_s)
    except (OSError, Refused, ValueError) as error:
        sys.stdout.write(f"FAILED: {error}\n")
        return 1
    sys.stdout.write("\n".join([*lines, "passed", ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
