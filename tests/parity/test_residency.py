"""Two real Ollamas with room for one model each, two models, alternating requests: Ollama's own log
says how often a model was loaded, and the simulator how often it should have been."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

import httpx
import pytest

from orion_lab.boards import board
from orion_lab.llama import model_file
from orion_lab.sim.asks import Ask
from orion_lab.sim.fleets import Fleet
from orion_lab.sim.ours import Ours
from orion_lab.sim.runs import run
from orion_lab.sim.workloads import CHAT, frozen
from orion_lab.stack import Stack
from parity.parity_sides import MODEL, real_ollama
from servers.needs import demand

FIRST, OTHER = "smollm2:first", "smollm2:other"
# One thread each: more of them wait for each other on a machine that has other work.
PARAMETERS = {"num_thread": 1, "temperature": 0}
ASKED, SEED = 12, 7
# A busy machine may take long for a prompt; it is not what is tested here.
WORKER_FLAGS = ["--max-loaded-models", "1", "--stall-prefill-s", "200", "--stall-token-s", "200"]
LOADED = re.compile(r'msg="starting (runner|llama server)".* --model ')
SIMULATED = {FIRST: MODEL, OTHER: "smollm2:360m"}


class Pair:
    """Two servers, their addresses and their logs."""

    def __init__(self, urls: Sequence[str], logs: Sequence[Path]) -> None:
        self.urls, self._logs = urls, logs

    def loads(self) -> list[int]:
        """Of each server so far, as its log has them."""
        return [len(LOADED.findall(log.read_text(errors="replace"))) for log in self._logs]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Each with both models; nothing is loaded. The other model is the same weights under another
    name in the file's metadata: another file, another runner."""
    demand("llama")
    demand("ollama")
    folders = [tmp_path_factory.mktemp(name) for name in ("ollama-a", "ollama-b")]
    weights = _other_weights()
    with ExitStack() as stack:
        urls = [stack.enter_context(real_ollama(folder)) for folder in folders]
        for url in urls:
            _create(url, weights)
        yield Pair(urls, [folder / "ollama.log" for folder in folders])


def _other_weights() -> bytes:
    weights = model_file().read_bytes()
    key = b"general.name"
    at = weights.index(key) + len(key) + 4  # the value's type; then its length, then its text
    length = int.from_bytes(weights[at : at + 8], "little")
    assert 0 < length < 200
    name = b"Other".ljust(length, b".")[:length]
    return weights[: at + 8] + name + weights[at + 8 + length :]


def _create(url: str, weights: bytes) -> None:
    digest = f"sha256:{hashlib.sha256(weights).hexdigest()}"
    with httpx.Client(trust_env=False, timeout=300) as client:
        client.post(f"{url}/api/blobs/{digest}", content=weights).raise_for_status()
        for body in (
            {"model": FIRST, "from": MODEL, "parameters": PARAMETERS},
            {"model": OTHER, "files": {"other.gguf": digest}, "parameters": PARAMETERS},
        ):
            client.post(f"{url}/api/create", json={**body, "stream": False}).raise_for_status()
        listed = {m["name"]: m["digest"] for m in client.get(f"{url}/api/tags").json()["models"]}
    assert len({listed[FIRST], listed[OTHER]}) == 2


def _ask(client: httpx.Client, url: str, model: str, number: int) -> None:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": f"Question {number}: name a river."}],
        "stream": False,
        "options": {"num_predict": 2, "seed": number},
    }
    answer = client.post(f"{url}/api/chat", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == model


def _simulated(order: Sequence[str]) -> float:
    """Loads of the same order, one after another, on two boards with room for one model each."""
    asks = [
        Ask(
            request_id=str(number),
            model=SIMULATED[model],
            user="u",
            session=str(number),
            priority="interactive",
            input_tokens=30,
            prompt_prefix=((number, 30),),
            output_tokens=2,
            arrived_s=20.0 * number,
            reply_hash=-1 - number,
        )
        for number, model in enumerate(order)
    ]
    two = Fleet("two", (board("pi-8gb"), board("pi-8gb")))
    result = run(two, frozen("alternating", asks, CHAT, 1e9), lambda _: Ours(), SEED)
    return result.loads_per_100 * len(order) / 100


def _random_order() -> list[str]:
    random = Random(SEED)
    return [random.choice((FIRST, OTHER)) for _ in range(ASKED)]


ORDERS = {"alternating": [(FIRST, OTHER)[n % 2] for n in range(ASKED)], "random": _random_order()}


def test_a_server_with_one_slot_really_loads_anew(pair: Pair) -> None:
    """Without a router that remembers, every change of model is a load in the log."""
    before = pair.loads()
    with httpx.Client(trust_env=False, timeout=300) as client:
        for number, model in enumerate((FIRST, OTHER, FIRST)):
            _ask(client, pair.urls[0], model, number)
    after = pair.loads()
    assert after[0] - before[0] == 3
    assert after[1] == before[1]


def test_no_more_loads_than_the_simulator_predicts(pair: Pair, tmp_path: Path) -> None:
    """Alternating and in random order, one request after another: once each board has its model,
    nothing is loaded any more."""
    demand("valkey9")
    seats = [f"{name}={url}" for name, url in zip(("pi-a", "pi-b"), pair.urls, strict=True)]
    with (
        Stack(seats, directory=tmp_path, worker_flags=WORKER_FLAGS) as stack,
        httpx.Client(trust_env=False, timeout=300) as client,
    ):
        for url in pair.urls:  # an empty start, like the simulator's
            for model in (FIRST, OTHER):
                client.post(f"{url}/api/generate", json={"model": model, "keep_alive": 0})
        stack.wait_until(
            lambda: all(not client.get(f"{url}/api/ps").json()["models"] for url in pair.urls),
            "nothing is loaded",
        )
        start = pair.loads()
        for name, order in ORDERS.items():
            before = pair.loads()
            for number, model in enumerate(order):
                _ask(client, stack.url, model, number)
            loads = [now - then for now, then in zip(pair.loads(), before, strict=True)]
            sys.stdout.write(f"{name}: {loads} loads in {ASKED}, simulated {_simulated(order):g}\n")
        total = sum(pair.loads()) - sum(start)
    # The second order begins with both models where the first one left them.
    assert total <= _simulated(ORDERS["alternating"]), pair.loads()
