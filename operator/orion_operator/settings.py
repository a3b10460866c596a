"""The operator's settings: flags or environment variables, read once at start."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orion_contracts.address import read_password, store_url
from orion_contracts.flags import Flags, port, positive_float
from orion_contracts.kubernetes import OPERATOR, OPERATOR_HTTP_PORT, OPERATOR_METRICS_PORT

LEVELS = ("debug", "info", "warning", "error")
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the operator can be told."""

    namespace: str
    redis_addr: str = "127.0.0.1:6379"
    redis_username: str = ""
    redis_password: str = ""
    redis_password_file: str = ""
    http_host: str = "0.0.0.0"
    http_port: int = OPERATOR_HTTP_PORT
    metrics_port: int = OPERATOR_METRICS_PORT
    pod_name: str = ""
    node_name: str = ""
    deployment: str = ""
    lease: str = OPERATOR
    release: str = ""
    status_interval_s: float = 30.0
    log_level: str = "info"


def own_namespace() -> str:
    """Of the pod that this runs in; else `default`."""
    try:
        return NAMESPACE_FILE.read_text().strip()
    except OSError:
        return "default"


def _flags(command: str, text: str, environ: Mapping[str, str] | None) -> Flags:
    flags = Flags(f"{OPERATOR} {command}", text, environ)
    flags.add("--namespace", "namespace of the InferenceCluster", own_namespace())
    flags.add("--redis-addr", "the store: host:port, redis:// or rediss:// address",
              "127.0.0.1:6379")  # fmt: skip
    flags.add("--redis-username", "user name at the store")
    flags.add("--redis-password", "password at the store; better: --redis-password-file")
    flags.add("--redis-password-file", "file that holds the password")
    flags.add("--lease", "name of the Lease that decides who changes things", OPERATOR)
    flags.add("--log-level", "how much to log", "info", choices=LEVELS)
    return flags


def read_settings(
    argv: list[str] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """For `run`; exits with a message when wrong."""
    flags = _flags(
        "run",
        "Reads InferenceCluster resources; labels nodes, configures routers and workers, plans "
        "models, writes status and Events. Further commands: cleanup, crd, acl.",
        environ,
    )
    flags.add("--http-host", "address to serve /health on", "0.0.0.0")
    flags.add("--http-port", "port of /health, /livez and /readyz", OPERATOR_HTTP_PORT, port)
    flags.add("--metrics-port", "port of /metrics; 0: none", OPERATOR_METRICS_PORT, port)
    flags.add("--pod-name", "name of this process at the Lease", socket.gethostname())
    flags.add("--node-name", "Kubernetes node that this runs on (downward API)")
    flags.add("--deployment", "own Deployment, restarted when its board becomes excluded")
    flags.add("--status-interval-s", "least seconds between two writes of a status, which wear "
              "out an SD card", 30.0, positive_float)  # fmt: skip
    flags.add("--release", "Helm release whose pods are watched (empty: all of the namespace)")
    return _judged(flags, argv)


def read_cleanup_settings(
    argv: list[str] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """For `cleanup`; exits with a message when wrong."""
    flags = _flags(
        "cleanup",
        "Takes our labels, taints and conditions off the nodes of this namespace and our "
        "configuration out of the store. Never fails: what could not be done is logged.",
        environ,
    )
    return _judged(flags, argv)


def _judged(flags: Flags, argv: list[str] | None) -> Settings:
    values = flags.parse(argv)
    with flags.judged():
        store_url(values.redis_addr)
        read_password(values.redis_password, values.redis_password_file)
    return Settings(**vars(values))
