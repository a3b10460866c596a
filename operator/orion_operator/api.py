"""The Kubernetes API through the official asynchronous client: the one place that speaks to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, cast

import aiohttp
import kopf
import orjson
from kubernetes.aio import config as loading
from kubernetes.aio.client import ApiClient, Configuration

TIMEOUT_S = 10.0
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
Method = Literal["GET", "POST", "PUT", "PATCH"]


class ApiError(Exception):
    """The API server refused, or was not reached (status 0)."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Api:
    """Calls by path; answers as dictionaries. Raises ApiError."""

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration
        self._client: Any = ApiClient(configuration)

    @classmethod
    async def connect(cls) -> Api:
        """With the pod's service account, or as KUBECONFIG says. Raises ApiError."""
        configuration: Any = cast(Any, Configuration)()
        load: Any = loading
        try:
            if os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG"):
                load.load_incluster_config(configuration)
            else:
                await load.load_kube_config(client_configuration=configuration)
        except (load.ConfigException, OSError) as error:
            raise ApiError(0, f"no way to the Kubernetes API: {error}; run inside the cluster, or "
                              "name a file with KUBECONFIG") from error  # fmt: skip
        return cls(configuration)

    async def call(
        self,
        method: Method,
        path: str,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """One call."""
        headers = {"Accept": accept, "Content-Type": content}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            answer = await self._client.call_api(
                method, self._configuration.host + path, headers, body, _request_timeout=timeout
            )
            raw: bytes = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            text = str(error) or type(error).__name__
            raise ApiError(0, f"the Kubernetes API does not answer: {text}") from error
        document = _parsed(raw)
        if answer.status >= 400:
            said = document.get("message") or f"{answer.status} {answer.reason}"
            raise ApiError(answer.status, f"{method} {path.partition('?')[0]}: {said}")
        return document

    async def connection(self) -> kopf.ConnectionInfo:
        """The same way in, for kopf; called again when a token has expired."""
        settings: Mapping[str, Any] = await self._configuration.auth_settings()
        token: str = settings.get("BearerToken", {}).get("value", "")
        known = self._configuration
        return kopf.ConnectionInfo(
            server=known.host,
            ca_path=known.ssl_ca_cert,
            insecure=not known.verify_ssl,
            token=token.removeprefix("bearer ").removeprefix("Bearer ") or None,
            certificate_path=known.cert_file,
            private_key_path=known.key_file,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        document: Any = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {"message": raw[:200].decode(errors="replace")}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}
