"""The simulator's requests as words, and clocks that run faster."""

import os
import subprocess
import sys
import time

import pytest

from orion_lab.canned import prompt_tokens
from orion_lab.engine import Task
from orion_lab.hurry import Hurry
from orion_lab.real.prompts import prompts
from orion_lab.real.run import as_sent, requests, workload

CHAT = requests(workload("chat", 0, 200), 0)


def test_prompts_are_as_long_as_the_simulator_says() -> None:
    """To the token, except where a message would be shorter than its own words."""
    exact = [each for each in CHAT if each.tokens == each.ask.input_tokens]
    assert len(exact) >= len(CHAT) / 2
    assert all(each.tokens >= each.ask.input_tokens for each in CHAT)
    excess = sum(each.tokens - each.ask.input_tokens for each in CHAT)
    assert excess < 0.05 * sum(each.tokens for each in CHAT)
    assert all(prompt_tokens(Task(each.messages)) == each.tokens for each in CHAT)


def test_answers_have_their_true_length_and_are_in_the_next_prompt() -> None:
    """So that a board's prompt cache finds them."""
    last: dict[str, str] = {}
    for each in CHAT:
        assert len(each.reply.split(" ")) == each.ask.output_tokens
        text = Task(each.messages).text
        if each.ask.session in last:
            assert text.startswith(last[each.ask.session])
        last[each.ask.session] = f"{text}<assistant>{each.reply}\n"


def test_the_simulator_is_asked_what_was_sent() -> None:
    """Lengths and boundaries follow the words."""
    for prompt, ask in zip(CHAT, as_sent(CHAT), strict=True):
        assert ask.input_tokens == prompt.tokens == ask.prompt_prefix[-1][1]
        assert [mark for mark, _ in ask.prompt_prefix] == [
            mark for mark, _ in prompt.ask.prompt_prefix
        ]


def test_prompts_of_a_burst_share_nothing() -> None:
    """Every user begins differently."""
    work = workload("burst", 0, 5)
    texts = [Task(each.messages).text[:16] for each in requests(work, 0)]
    assert len(set(texts)) == 5
    assert prompts([]) == []


PROBE = """
import asyncio, threading, time
def real(): return float(open('/proc/uptime').read().split()[0])
began = real(); time.sleep(4); slept = real() - began
began = real(); threading.Event().wait(4); waited = real() - began
async def nap():
    began, fast = real(), time.monotonic()
    await asyncio.sleep(4)
    return real() - began, time.monotonic() - fast
plain = asyncio.run(nap())
import uvloop
print(slept, waited, *plain, *uvloop.run(nap()), time.time())
"""


@pytest.mark.timeout(30)
def test_a_hurried_process_waits_less_and_counts_more(tmp_path: os.PathLike[str]) -> None:
    """Sleeps, threads, asyncio's loop and uvloop, and the time of day."""
    (script := os.path.join(tmp_path, "probe.py"))
    with open(script, "w") as out:
        out.write(PROBE)
    hurry = Hurry(20.0, time.time() - 10.0)
    python_path = os.pathsep.join([str(tmp_path), *sys.path])
    said = subprocess.run(
        [sys.executable, *hurry.argv, "probe"], check=True, capture_output=True, text=True,
        env={**os.environ, **hurry.environment, "PYTHONPATH": python_path},
    ).stdout  # fmt: skip
    slept, waited, plain, plain_fast, loop, loop_fast, wall = map(float, said.split())
    for real_s in (slept, waited, plain, loop):
        assert 0.15 <= real_s < 2.0  # 4 s of its own, 0.2 s of ours; the machine may be busy
    assert plain_fast >= 4.0
    assert loop_fast >= 3.9
    assert wall - time.time() == pytest.approx(19 * 10.0, abs=60.0)
