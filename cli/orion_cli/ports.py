"""Ports of this computer, and whether somebody answers on them."""

from __future__ import annotations

import socket

import httpx

from orion_cli.gateway import trusts_proxies
from orion_cli.problem import Problem

HOST = "127.0.0.1"
ANSWER_WITHIN_S = 0.5


def refusal(port: int) -> str:
    """Why this port cannot be listened on; the empty string if it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return ""


def need_free(port: int) -> None:
    """Problem naming --port if the gateway cannot listen there."""
    if why := refusal(port):
        raise Problem(
            f"port {port} cannot be used: {why}",
            f"stop what listens there, or choose another one: orion up --port {port + 1}",
        )


async def answers(url: str, path: str = "/api/version") -> bool:
    """Whether somebody answers there with success, within a moment."""
    try:
        async with httpx.AsyncClient(
            timeout=ANSWER_WITHIN_S, trust_env=trusts_proxies(url)
        ) as http:
            return (await http.get(url + path)).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
