"""The worker's settings: flags or environment variables, read once at start."""

from __future__ import annotations

import argparse
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from orion_contracts.address import read_password, store_url
from orion_contracts.flags import Flags, bounded_int, port, positive_float
from orion_contracts.sizes import DEFAULT_LIMITS, Limits, add_limit_flags, read_limits

LOG_LEVELS = ("debug", "info", "warning", "error")
_NODE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
"""As orion_contracts.limits.is_node_name, without its imports: --help has to be quick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a worker can be told. Times in the unit that the name says."""

    node_id: str
    redis_addr: str = "127.0.0.1:6379"
    redis_username: str = ""
    redis_password: str = ""
    redis_password_file: str = ""
    ollama_host: str = "http://127.0.0.1:11434"
    http_host: str = "0.0.0.0"
    http_port: int = 8081
    metrics_port: int = 9091
    slots: int = 1
    host_root: str = "/"
    node_class: str = ""
    """Empty: by the board's memory."""
    prompt_cache_mib: int | None = None
    """The engine's LLAMA_ARG_CACHE_RAM; None: not known."""
    max_output_tokens: int = 8192
    """Sent where a request names no num_predict: Ollama's own bound is ten times the context."""
    log_level: str = "info"
    health_interval_s: float = 5.0
    stall_prefill_s: float = 10.0
    """What a prompt may take besides three times its expected time."""
    stall_token_s: float = 30.0
    shutdown_grace_s: float = 20.0
    run_lease_ms: int = 15_000
    coalesce_ms: int = 50
    wedged_mark: str = ""
    """A file that exists while Ollama hangs (an exec probe looks at it); empty: none."""
    model_registries: tuple[str, ...] = ("registry.ollama.ai",)
    """Hosts that models may be pulled from; none: only what lies on the disk is kept."""
    disk_reserve_mib: int = 2048
    max_loaded_models: int = 0
    """Ollama's OLLAMA_MAX_LOADED_MODELS; 0: learned from what it drops."""
    pull_silent_s: float = 120.0
    share_models: str = "off"
    share_address: str = ""
    """Where other boards reach this one; empty: where the store does."""
    share_mib_per_second: float = 30.0
    models_dir: str = ""
    """Ollama's folder of models, if it can be read from here."""
    limits: Limits = DEFAULT_LIMITS
    """Of what a producer puts straight on this board's stream."""


_FIELDS = frozenset(Settings.__dataclass_fields__)


def _host_address(text: str) -> str:
    if "://" not in text:
        text = "http://" + text
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r}: write http://host:port")
    return text.rstrip("/")


def _hosts(text: str) -> tuple[str, ...]:
    if text.strip() == "none":
        return ()
    hosts = tuple(filter(None, (part.strip() for part in text.split(","))))
    for host in hosts:
        if _NODE.fullmatch(host) is None:
            raise argparse.ArgumentTypeError(f"{host!r}: write hosts like registry.ollama.ai")
    return hosts


def _node_id(text: str) -> str:
    if _NODE.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r}: use letters, digits and . _ - (at most 128, a letter or digit at each end)"
        )
    return text


def read_settings(
    argv: list[str] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Settings from the command line and the environment; exits with a message when wrong."""
    flags = Flags(
        "orion-inference-worker",
        "Runs the requests of one board on its Ollama and reports the board's health.",
        environ,
    )
    add = flags.add
    add("--node-id", "this board's name", socket.gethostname(), _node_id)
    add("--redis-addr", "the store: host:port, redis:// or rediss:// address", "127.0.0.1:6379")
    add("--redis-username", "user name at the store")
    add("--redis-password", "password at the store; better: --redis-password-file")
    add("--redis-password-file", "file that holds the password")
    add("--ollama-host", "address of this board's Ollama", "http://127.0.0.1:11434", _host_address)
    add("--http-host", "address to serve /health on", "0.0.0.0")
    add("--http-port", "port of /health, /livez and /readyz", 8081, port)
    add("--metrics-port", "port of /metrics (Prometheus)", 9091, port)
    add("--slots", "requests run at once; Ollama's OLLAMA_NUM_PARALLEL", 1, bounded_int(1, 64))
    add("--prompt-cache-mib", "Ollama's LLAMA_ARG_CACHE_RAM, MiB (default: not known)", None,
        bounded_int(0, 1_000_000))  # fmt: skip
    add("--host-root", "folder below which /sys and /proc are read", "/")
    add("--node-class", "class of this board (empty: by its memory)")
    add("--max-output-tokens", "num_predict where a request names none (0: Ollama's)", 8192,
        bounded_int(0, 1_000_000))  # fmt: skip
    add_limit_flags(flags)
    add("--log-level", "how much to log", "info", choices=LOG_LEVELS)
    add("--health-interval-s", "seconds between two health reports", 5.0, positive_float)
    add("--stall-prefill-s", "seconds a prompt may take besides three times its expected time",
        10.0, positive_float)  # fmt: skip
    add("--stall-token-s", "seconds between two tokens before Ollama counts as hung", 30.0,
        positive_float)  # fmt: skip
    add("--shutdown-grace-s", "seconds that running requests get at SIGTERM", 20.0, positive_float)
    add("--run-lease-ms", "lease of a running request", 15_000, bounded_int(500, 600_000))
    add("--coalesce-ms", "longest that a token waits for company", 50, bounded_int(0, 5_000))
    add("--model-registries", "hosts that placed models may be pulled from, with commas; or none",
        "registry.ollama.ai", _hosts)  # fmt: skip
    add("--disk-reserve-mib", "MiB of the models' disk that pulls leave free", 2048,
        bounded_int(0, 1_000_000_000))  # fmt: skip
    add("--max-loaded-models", "Ollama's OLLAMA_MAX_LOADED_MODELS (0: learned)", 0,
        bounded_int(0, 64))  # fmt: skip
    add("--pull-silent-s", "seconds without a byte after which a pull is begun anew", 120.0,
        positive_float)  # fmt: skip
    add("--share-models", "let boards copy models from each other: see docs/adr/0007", "off",
        choices=("on", "off"))  # fmt: skip
    add("--share-address", "address at which other boards reach this one (empty: found out)")
    add("--share-mib-per-second", "MiB per second that this board gives to all others together",
        30.0, positive_float)  # fmt: skip
    add("--models-dir", "Ollama's folder of models, to share it (empty: $OLLAMA_MODELS)")
    add("--wedged-mark", "file that exists while Ollama hangs, for a probe that restarts it")
    values = flags.parse(argv)
    with flags.judged():
        store_url(values.redis_addr)
        read_password(values.redis_password, values.redis_password_file)
    values.models_dir = values.models_dir or (environ or os.environ).get("OLLAMA_MODELS", "")
    own = {name: value for name, value in vars(values).items() if name in _FIELDS}
    return Settings(**own, limits=read_limits(values))
