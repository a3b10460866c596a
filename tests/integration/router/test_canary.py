"""A board that becomes slow is named everywhere, on real processes."""

from __future__ import annotations

import psutil
import pytest

from orion_cli.slowness import boards, check_rates
from orion_lab.stack import Stack
from servers.needs import demand

pytestmark = pytest.mark.integration
MODEL = "smollm2:135m"


def run_some(stack: Stack, delay_ms: int) -> None:
    """Five answers at this pace: as many as a verdict needs."""
    stack.boards["pi-a"].set_fault(token_delay_ms=delay_ms)
    body = {"model": MODEL, "stream": False, "options": {"num_predict": 10},
            "messages": [{"role": "user", "content": "Hello"}]}  # fmt: skip
    for _ in range(5):
        stack.http.post(stack.url + "/api/chat", json=body).raise_for_status()


def test_a_board_at_a_fifth_of_its_pace_is_named() -> None:
    """In the list of boards, the health, a gauge, and by `orion doctor`; not before."""
    demand("valkey9")
    with Stack(["pi-a:zero"], appendfsync="no") as stack:
        run_some(stack, 20)
        assert "slow" not in stack.http.get(stack.url + "/v1/nodes").json()["nodes"][0]
        run_some(stack, 100)
        stack.wait_until(
            lambda: "slow" in stack.http.get(stack.url + "/v1/nodes").json()["nodes"][0],
            "the verdict",
        )

        (node,) = boards(stack.url)
        assert 0.1 < node["slow"][MODEL] < 0.4
        health = stack.http.get(stack.url + "/health").json()
        assert health["status"] == "warn"
        assert f"{MODEL} at" in health["checks"]["nodes:ready"][1]["output"]
        (finding,) = check_rates([node])
        assert finding.level == "warn"
        port = psutil.Process(stack.pid("router-0")).environ()["ORION_METRICS_PORT"]
        measured = stack.http.get(f"http://127.0.0.1:{port}/metrics").text
        assert f'orion_node_rate_share{{model="{MODEL}",node="pi-a"}} 0.' in measured
