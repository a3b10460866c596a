"""What `orion doctor` asks the Kubernetes API, with the rights of the pod that it runs in.

Only the operator's pod has a token; elsewhere there is nothing to ask with, and nothing is said.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import httpx

from orion_cli.facts import ClusterFacts, Told
from orion_contracts import kubernetes as names

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_S = 5.0
OPERATORS = "app.kubernetes.io/name=orion-inference,app.kubernetes.io/component=operator"
OURS = f"/apis/{names.GROUP}/{names.VERSION}/namespaces"
Document = Mapping[str, Any]


def look(environ: Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> ClusterFacts | None:
    """Everything about the namespace; None without an account."""
    try:
        token = (account / "token").read_text().strip()
        namespace = (account / "namespace").read_text().strip()
        trust = ssl.create_default_context(cafile=str(account / "ca.crt"))
    except OSError:
        return None
    host, port = (
        environ.get("KUBERNETES_SERVICE_HOST", ""),
        environ.get("KUBERNETES_SERVICE_PORT", "443"),
    )
    base = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    try:
        with httpx.Client(
            base_url=base, verify=trust, timeout=TIMEOUT_S, trust_env=False,
            headers={"Authorization": f"Bearer {token}"},
        ) as api:  # fmt: skip
            return read(api, namespace)
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return ClusterFacts(namespace=namespace, error=str(error) or type(error).__name__)


def read(api: httpx.Client, namespace: str) -> ClusterFacts:
    """With a client that is authorised."""
    from orion_operator.crd import REVISION

    definition = _get(api, f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
                           f"{names.CRD_NAME}")  # fmt: skip
    resources = _get(api, f"{OURS}/{namespace}/{names.PLURAL}") or {}
    pods = _get(api, f"/api/v1/namespaces/{namespace}/pods", labelSelector=OPERATORS) or {}
    lease = _get(api, f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/"
                      f"{names.OPERATOR}") or {}  # fmt: skip
    return ClusterFacts(
        namespace=namespace,
        revision=None if definition is None else _revision(definition),
        wanted_revision=REVISION,
        conditions=[told for each in resources.get("items", ()) for told in _conditions(each)],
        operators=sorted(
            str(pod["metadata"]["name"])
            for pod in pods.get("items", ())
            if "deletionTimestamp" not in pod["metadata"]
            and pod.get("status", {}).get("phase") == "Running"
        ),
        holder=str(lease.get("spec", {}).get("holderIdentity") or ""),
    )


def _get(api: httpx.Client, path: str, **query: str) -> Document | None:
    """The answer; None where there is no such thing."""
    answer = api.get(path, params=query)
    if answer.status_code == 404:
        return None
    if answer.is_error:
        right = "; this account lacks the right" if answer.status_code == 403 else ""
        raise ValueError(f"{answer.status_code} on GET {path}{right}")
    return cast(dict[str, Any], answer.json())


def _revision(definition: Document) -> int:
    """As the operator reads it: one without a mark is older than all."""
    mark = str(definition["metadata"].get("annotations", {}).get(names.REVISION_ANNOTATION, ""))
    return int(mark) if mark.isdigit() else 0


def _conditions(resource: Document) -> Iterator[Told]:
    for each in resource.get("status", {}).get("conditions", ()):
        yield Told(
            resource=resource["metadata"]["name"],
            type=each["type"],
            status=each["status"],
            reason=each.get("reason", ""),
            message=each.get("message", ""),
        )
