"""What the operator reads and writes in Kubernetes, by name; every right it needs is used here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from orion_contracts import kubernetes as names
from orion_operator import ownership
from orion_operator.api import APPLY, MERGE, STRATEGIC, Api, ApiError
from orion_operator.feedback import retainted

_OURS = f"/apis/{names.API_VERSION}"
_DEFINITION = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{names.CRD_NAME}"
_MANAGER = f"?fieldManager={names.OPERATOR}"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PAGE = 250
Watched = Literal["nodes", "pods", "resources", "sets", "revisions"]


class Cluster:
    """One namespace, the Nodes, and our CRD. Raises ApiError."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self.namespace = namespace
        self._icl = f"{_OURS}/namespaces/{namespace}/{names.PLURAL}"
        self._core = f"/api/v1/namespaces/{namespace}"
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._apps = f"/apis/apps/v1/namespaces/{namespace}"
        self._deployments = f"{self._apps}/deployments"

    async def definition(self) -> dict[str, Any] | None:
        """Our CRD as the cluster has it."""
        return await self._found("GET", _DEFINITION)

    async def apply_definition(self, definition: Mapping[str, Any]) -> None:
        """Server-side apply of our CRD."""
        path = f"{_DEFINITION}{_MANAGER}&force=true"
        await self._api.call("PATCH", path, definition, APPLY)

    async def is_served(self) -> bool:
        """Whether the API server knows our kind."""
        return await self._found("GET", _OURS) is not None

    async def create_default(self) -> bool:
        """The resource `default`, unless it is there."""
        document = ownership.default_resource(self.namespace)
        try:
            await self._api.call("POST", f"{self._icl}{_MANAGER}", document)
        except ApiError as error:
            if error.status != 409:
                raise
            return False
        return True

    async def patch_status(self, name: str, status: Mapping[str, Any]) -> None:
        """Write the status; nothing where the resource is gone."""
        body = {"status": status}
        await self._found("PATCH", f"{self._icl}/{name}/status{_MANAGER}", body, MERGE)

    async def patch_node(self, name: str, patch: Mapping[str, Any], subresource: str = "") -> bool:
        """Change what is ours on a Node; False: it is gone."""
        path = f"/api/v1/nodes/{name}{'/' + subresource if subresource else ''}{_MANAGER}"
        return await self._found("PATCH", path, patch, STRATEGIC) is not None

    async def retaint(self, name: str, taint: Mapping[str, Any] | None) -> None:
        """Our taint on a Node, or none; refused (409) where the Node changed in between."""
        path = f"/api/v1/nodes/{name}"
        if (body := await self._found("GET", path)) is not None:
            await self._found("PATCH", path + _MANAGER, retainted(body, taint), MERGE)

    async def nodes(self, label: str = "") -> list[dict[str, Any]]:
        """Nodes in full; only for the clean-up."""
        return await self._pages("/api/v1/nodes", "application/json", label)

    async def present(self, kind: Watched) -> set[str]:
        """Names of everything of a kind, without its contents."""
        path = {
            "nodes": "/api/v1/nodes",
            "pods": f"{self._core}/pods",
            "resources": self._icl,
            "sets": f"{self._apps}/daemonsets",
            "revisions": f"{self._apps}/controllerrevisions",
        }[kind]
        return {item["metadata"]["name"] for item in await self._pages(path, _METADATA)}

    async def lease(self, name: str) -> dict[str, Any] | None:
        """The Lease, or None."""
        return await self._found("GET", f"{self._leases}/{name}")

    async def write_lease(self, lease: Mapping[str, Any], create: bool) -> dict[str, Any] | None:
        """Write it; None: somebody else was quicker."""
        name = lease["metadata"]["name"]
        try:
            if create:
                return await self._api.call("POST", self._leases, lease)
            return await self._api.call("PUT", f"{self._leases}/{name}", lease)
        except ApiError as error:
            if error.status != 409:
                raise
            return None

    async def tell(self, event: Mapping[str, Any]) -> None:
        """Post an Event; one of the same name is counted up."""
        path = f"{self._core}/events"
        try:
            await self._api.call("POST", path, event)
        except ApiError as error:
            if error.status != 409:
                raise
            again = {k: event[k] for k in ("type", "message", "lastTimestamp")}
            counted = {**again, "count": event["count"]}
            await self._found("PATCH", f"{path}/{event['metadata']['name']}", counted, MERGE)

    async def deployment(self, name: str) -> dict[str, Any] | None:
        """A Deployment, or None."""
        return await self._found("GET", f"{self._deployments}/{name}")

    async def restart(self, name: str, now: str) -> None:
        """Restart a Deployment."""
        marks = {"metadata": {"annotations": {names.RESTARTED_ANNOTATION: now}}}
        body = {"spec": {"template": marks}}
        await self._api.call("PATCH", f"{self._deployments}/{name}", body, MERGE)

    async def evict(self, pod: str, uid: str) -> bool:
        """Ask a pod to end as budgets allow (429: not now); False: it is gone.

        `uid`: another pod of that name is left alone (409).
        """
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": self.namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        return await self._found("POST", f"{self._core}/pods/{pod}/eviction", body) is not None

    async def _found(
        self,
        method: Any,
        path: str,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
    ) -> dict[str, Any] | None:
        """The answer, or None where there is no such thing."""
        try:
            return await self._api.call(method, path, body, content)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    async def _pages(self, path: str, accept: str, label: str = "") -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        token = ""
        while True:
            query = f"?limit={PAGE}&continue={token}&labelSelector={label}"
            answer = await self._api.call("GET", path + query, accept=accept)
            items.extend(answer.get("items", ()))
            token = answer.get("metadata", {}).get("continue", "")
            if not token:
                return items
