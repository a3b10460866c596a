"""What eleven gateways did in the same checks: measured before, on one 2-core x86-64 machine.

nginx 1.22.1, haproxy 2.6.12, LiteLLM 1.104.5, ollama-herd 0.11.4, sglang-router 0.3.2,
vllm-router 0.1.17 and a bare aiohttp proxy; docs/behaviour.md says how they were set up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PEERS: Final[Mapping[str, tuple[str, str]]] = {
    "a mid-stream": (
        "none resumes: every victim's stream broke",
        "LiteLLM ends it with an error event, the others break the connection",
    ),
    "a no token": (
        "ok by a retry: nginx (told to), ollama-herd, sglang-router, vllm-router",
        "502, 503 or 500; LiteLLM 4 of 5 ok",
    ),
    "a afterwards": ("30 ok", "haproxy 29; LiteLLM least-busy 5; aiohttp 0"),
    "b lost": ("none: all 11 lost 20 of 20", "20 of 20 lost"),
    "b ready": ("nginx 0.12 s, haproxy 0.2 s", "1.7 to 16.5 s"),
    "c one": (
        "30 ok (nginx told to retry, haproxy-queue, LiteLLM shuffle, sglang, vllm)",
        "20 ok and 10 x 503; ollama-herd 30 x 200 with a broken body",
    ),
    "c attempts": ("nginx told to retry: 1", "5 to 30"),
    "c all": ("503 after 1 to 5 tries", "ollama-herd: 200 with a broken body"),
    "d inside": ("1 / 1 / 1 (haproxy-queue, ollama-herd)", "7 to 14 at once on a board"),
    "d seconds": ("2.04 s (nginx, 10 at once inside); 2.15 s (haproxy-queue)", "2.3 to 4.7 s"),
    "e cold loads": (
        "36.7 with the right model (ollama-herd without substitution)",
        "41.7 to 73.3; ollama-herd as shipped: 0, by answering with another model",
    ),
    "e latency": ("0.09 s median, 3.07 s p95 (vllm-router)", "0.13 to 3.3 s median"),
}
