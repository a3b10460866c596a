"""`make lab-prefix`: eight conversations, interleaved, over two boards whose tokens come from
llama.cpp with its prompt cache on: how many prompt tokens each gateway makes it compute.

Each board is a process with an engine of its own: one slot, and a host prompt cache with room for
about half of the conversations. The counts are llama.cpp's own (`prompt_n`, `cache_n`).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx

from orion_lab.bench.peers import NoPeer
from orion_lab.real.systems import nginx_before
from orion_lab.sim.tables import table
from orion_lab.stack import Stack
from orion_lab.testing import BoardProcess

BOARDS: Final = ("pi-a", "pi-b")
MODEL: Final = "smollm2:135m"
CONVERSATIONS, TURNS, AT_ONCE = 8, 16, 2
FIRST_TOKENS: Final = 600
ANSWER_TOKENS: Final = 4
CACHE_MIB: Final = 90
"""KV of this model: 23 KB a token, so that it holds four of these conversations to their end, not
five (what leaves the slot is kept before what comes is looked up, so four need room for four)."""
TIMES: Final = 5.0
SEED: Final = 7
_WORDS: Final = (
    *("river", "mountain", "table", "garden", "window", "winter", "summer", "bread", "paper"),
    *("stone", "forest", "bridge", "letter", "market", "music", "silver", "yellow"),
)


@dataclass(frozen=True, slots=True)
class Count:
    """What the engines of all boards counted."""

    system: str
    prefilled: int
    cached: int
    by_board: tuple[int, ...]
    first_ms: float
    """Mean time to an answer's first token."""
    took_s: float


@dataclass(slots=True)
class _Talk:
    number: int
    messages: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def next_question(self, turn: int) -> None:
        """A long first message, then short ones."""
        random = Random(f"{SEED}/{self.number}/{turn}")
        count = FIRST_TOKENS - 20 if turn == 0 else 2
        words = " ".join(random.choice(_WORDS) for _ in range(count))
        self.messages.append({"role": "user", "content": f"{self.number} {turn}: {words}."})


async def converse(url: str, turns: int = TURNS) -> list[float]:
    """Each round every conversation has a turn, in random order, two at a time; times to the first
    token in seconds."""
    talks, random = [_Talk(number) for number in range(CONVERSATIONS)], Random(SEED)
    firsts: list[float] = []
    async with httpx.AsyncClient(trust_env=False, timeout=300.0) as client:
        for turn in range(turns):
            order = talks.copy()
            random.shuffle(order)
            waiting = iter(order)

            async def serve(waiting: Any = waiting, turn: int = turn) -> None:
                for talk in waiting:
                    talk.next_question(turn)
                    firsts.append(await _ask(client, url, talk))

            await asyncio.gather(*(serve() for _ in range(AT_ONCE)))
    return firsts


async def _ask(client: httpx.AsyncClient, url: str, talk: _Talk) -> float:
    body = {
        "model": MODEL,
        "messages": talk.messages,
        "options": {"num_predict": ANSWER_TOKENS, "temperature": 0, "seed": SEED},
    }
    began_s, first_s, said = time.monotonic(), 0.0, ""
    async with client.stream("POST", f"{url}/api/chat", json=body) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            piece = httpx.Response(200, text=line).json()
            content = piece["message"]["content"]
            if content and not first_s:
                first_s = time.monotonic() - began_s
            said += content
    talk.messages.append({"role": "assistant", "content": said})
    return first_s


def ours(directory: Path, turns: int = TURNS) -> Count:
    """Through the router and two workers."""
    with (
        _boards() as boards,
        Stack([f"{n}={b.url}" for n, b in zip(BOARDS, boards, strict=True)],
              directory=directory, worker_flags=["--prompt-cache-mib", str(CACHE_MIB)]) as stack,
    ):  # fmt: skip
        _load(boards)
        stack.wait_until(lambda: _resident(stack) == set(BOARDS), "the router knows", 30)
        return _count("ours", stack.url, boards, turns)


def least_connections(directory: Path, turns: int = TURNS) -> Count:
    """Through nginx. Raises NoPeer."""
    with _boards() as boards, nginx_before(boards, directory) as (port, _, _):
        _load(boards)
        return _count("nginx least_conn", f"http://127.0.0.1:{port}", boards, turns)


def _load(boards: Sequence[BoardProcess]) -> None:
    """The model into every board's memory before it begins: this is about prompts, not loads."""
    for board in boards:
        asked = {"model": MODEL, "keep_alive": -1}
        httpx.post(f"{board.url}/api/generate", json=asked, timeout=60).raise_for_status()


def _resident(stack: Stack) -> set[str]:
    """Boards that have the model in memory, as the router sees them."""
    nodes = stack.http.get(f"{stack.url}/v1/nodes").json()["nodes"]
    return {each["name"] for each in nodes if each.get("resident")}


def _count(system: str, url: str, boards: Sequence[BoardProcess], turns: int) -> Count:
    began_s = time.monotonic()
    firsts = asyncio.run(converse(url, turns))
    stats = [board.stats() for board in boards]
    prefilled = tuple(int(each["prefilled_tokens"]) for each in stats)
    print(f"{system}: {turns} turns in {time.monotonic() - began_s:.0f} s", file=sys.stderr)
    return Count(
        system,
        sum(prefilled),
        sum(int(each["cached_tokens"]) for each in stats),
        prefilled,
        1000 * sum(firsts) / len(firsts),
        time.monotonic() - began_s,
    )


@contextmanager
def _boards() -> Generator[list[BoardProcess]]:
    flags = ["--engine", "llama", "--engine-slots", "1", "--engine-threads", "1"]
    flags += ["--engine-cache-mib", str(CACHE_MIB)]
    with ExitStack() as stack:
        boards = [
            stack.enter_context(BoardProcess(*flags, boards=[f"{name}:0:zero"])) for name in BOARDS
        ]
        for board in boards:
            if board.ready["engine"] != "llama":
                raise NoPeer(str(board.ready.get("why")))
        yield boards


def main(argv: Sequence[str] | None = None) -> int:
    """Run both and print; 1 if ours computes more than a fifth."""
    made = argparse.ArgumentParser(prog="python -m orion_lab.real.prefix", description=__doc__)
    made.add_argument("--turns", type=int, default=TURNS)
    asked = made.parse_args(argv)
    counts: list[Count] = []
    for measure in (ours, least_connections):
        with tempfile.TemporaryDirectory(prefix="orion-prefix-") as folder:
            counts.append(measure(Path(folder), asked.turns))
    rows = [
        [c.system, str(c.prefilled), str(c.cached), " + ".join(map(str, c.by_board)),
         f"{c.first_ms:.0f}", f"{c.took_s:.0f}"]
        for c in counts
    ]  # fmt: skip
    head = ("", "computed", "from cache", "computed by board", "TTFT ms", "took s")
    times = counts[1].prefilled / counts[0].prefilled
    print(f"{table(head, rows)}\nours computes {times:.1f} x fewer (target: {TIMES:g} x)")
    return int(times < TIMES)


if __name__ == "__main__":
    sys.exit(main())
