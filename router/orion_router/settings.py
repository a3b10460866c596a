"""The router's settings: read once at start, frozen."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from orion_contracts.address import read_password, store_url
from orion_contracts.flags import Flags, bounded_int, port
from orion_contracts.sizes import Limits, add_limit_flags, read_limits
from orion_contracts.telemetry import LEVELS
from orion_router.gateway.bodies import MOST_BYTES
from orion_router.gateway.origins import read_origins


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Addresses, sizes in bytes, leases in ms."""

    redis_addr: str
    redis_username: str
    redis_password: str
    http_host: str
    http_port: int
    metrics_port: int
    router_id: str
    log_level: str
    limits: Limits
    assign_lease_ms: int
    run_lease_ms: int
    open_body_bytes: int
    origins: tuple[str, ...]

    @classmethod
    def read(
        cls, argv: list[str] | None = None, environ: Mapping[str, str] | None = None
    ) -> Settings:
        """From flags and the environment. Exits with a message on nonsense."""
        flags = Flags(
            "orion-inference-router",
            "One address for a fleet of Ollama boards: gateway, intake of the request stream, "
            "planner.",
            environ,
        )
        size = bounded_int(1024, 1024**3)
        flags.add("--redis-addr", "store: host:port, redis://... or rediss://...", "127.0.0.1:6379")
        flags.add("--redis-username", "store user, where the store has users")
        flags.add("--redis-password", "store password (seen by `ps`: prefer the file)")
        flags.add("--redis-password-file", "file that holds the store password")
        flags.add("--http-host", "address to listen on", "0.0.0.0")
        flags.add("--http-port", "port of the gateway and /health; 0: any", 8080, port)
        flags.add("--metrics-port", "port of /metrics; 0: none", 9090, port)
        flags.add("--router-id", "name of this router, unique among routers", socket.gethostname())
        flags.add("--log-level", "how much to log", "info", choices=LEVELS)
        add_limit_flags(flags)
        flags.add(
            "--max-open-body-bytes",
            "memory for the bodies of all open HTTP requests; at least twice the largest body",
            MOST_BYTES,
            size,
        )
        flags.add(
            "--origins",
            "web pages that may use this address, besides its own and those of this computer: "
            "http://host:port,... with * for a part, or * alone for any page",
            kind=read_origins,
        )
        lease = bounded_int(200, 3_600_000)
        flags.add("--assign-lease-ms", "from dispatch to a worker's start", 10_000, lease)
        flags.add("--run-lease-ms", "between two signs of progress", 15_000, lease)
        values = flags.parse(argv)
        with flags.judged():
            url = store_url(values.redis_addr)
            password = read_password(values.redis_password, values.redis_password_file)
        return cls(
            redis_addr=url,
            redis_username=values.redis_username,
            redis_password=password,
            http_host=values.http_host,
            http_port=values.http_port,
            metrics_port=values.metrics_port,
            router_id=values.router_id,
            log_level=values.log_level,
            limits=read_limits(values),
            assign_lease_ms=values.assign_lease_ms,
            run_lease_ms=values.run_lease_ms,
            open_body_bytes=max(values.max_open_body_bytes, 2 * values.max_body_bytes),
            origins=values.origins,
        )
