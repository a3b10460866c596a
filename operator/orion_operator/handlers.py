"""kopf's side of the operator: watches that feed the view, and nothing that writes.

Only `index` and `event` handlers: these leave no finalizer and no annotation on any object. Index
handlers are called while kopf lists; event handlers begin when everything is listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import kopf

from orion_contracts import kubernetes as names
from orion_operator.api import Api
from orion_operator.view import Cache, View

CHUNK = 100
"""Objects per page of a listing: it bounds the memory of the start."""
SETS, REVISIONS = ("apps", "v1", "daemonsets"), ("apps", "v1", "controllerrevisions")


class Backoffs:
    """Seconds between two attempts, for ever: a cluster that is away comes back."""

    def __iter__(self) -> Iterator[float]:
        """One iterator for each request."""
        yield from (1, 1, 2, 3, 5, 8, 13, 21)
        while True:
            yield 30


def make_settings(release: str) -> kopf.OperatorSettings:
    """kopf's settings: no scanning of CRDs and namespaces, no Events of its own."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.networking.error_backoffs = Backoffs()
    settings.networking.request_timeout = 60
    settings.watching.chunk_size = CHUNK
    settings.watching.server_timeout = 600
    settings.queueing.idle_timeout = 1.0
    settings.process.ultimate_exiting_timeout = 20
    if release:
        selectors: Any = settings.watching.label_selectors
        for kind in (("v1", "pods"), SETS, REVISIONS):
            selectors[kind] = f"app.kubernetes.io/instance={release}"
    return settings


def make_registry(view: View, api: Api) -> kopf.OperatorRegistry:
    """The handlers."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:  # pyright: ignore[reportUnusedFunction]
        return await api.connection()

    _follow(registry, view, view.nodes, "v1", "nodes")
    _follow(registry, view, view.pods, "v1", "pods")
    _follow(registry, view, view.sets, *SETS)
    _follow(registry, view, view.revisions, *REVISIONS)
    _follow(registry, view, view.resources, names.GROUP, names.VERSION, names.PLURAL)
    return registry


def _follow(registry: kopf.OperatorRegistry, view: View, cache: Cache[Any], *kind: str) -> None:
    """Keep a cache of one kind of object."""

    @kopf.index(*kind, id=f"{kind[-1]}-seen", registry=registry)
    async def seen(body: Mapping[str, Any], **_: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        cache.seen(body)

    @kopf.on.event(*kind, id=f"{kind[-1]}-event", registry=registry)
    async def told(event: Any, name: str, **_: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        view.listed()
        if event["type"] == "DELETED":
            cache.gone(name)
