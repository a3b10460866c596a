"""Spoilt ledgers: each mutant takes one safeguard out of the library's text.

A suite or a checker that passes on a mutant proves nothing. Every mutation asserts that it found
its pattern, so that a mutant cannot quietly become the original when the library changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orion_contracts.ledger import library_source

Mutation = Callable[[str], str]


def swap(text: str, old: str, new: str) -> str:
    """Replace the one occurrence of `old`."""
    found = text.count(old)
    assert found == 1, f"the library has {found} places like {old!r}: mend this mutant"
    return text.replace(old, new)


def finish_without_state_check(text: str) -> str:
    """`finish` publishes whatever state the record is in, and for whoever asks."""
    text = swap(
        text,
        "  if TERMINAL[r.state] then return r.done == token and 'ALREADY' or 'DUP' end\n"
        "  if r.state ~= 'RUNNING' or r.token ~= token then return 'FENCED' end\n",
        "",
    )
    return text


def finish_without_token_check(text: str) -> str:
    """`finish` takes a zombie's answer for that of the running attempt."""
    return swap(
        text,
        "if r.state ~= 'RUNNING' or r.token ~= token then return 'FENCED' end\n  publish(",
        "if r.state ~= 'RUNNING' then return 'FENCED' end\n  publish(",
    )


_ACKNOWLEDGE = """
local function unacknowledged(worker) return P .. 'unacknowledged:' .. worker end
local function acknowledge(worker)
  for _, id in ipairs(redis.call('SMEMBERS', unacknowledged(worker))) do
    local r = get(id)
    if r.state == 'RUNNING' and r.worker == worker then
      redis.call('HSET', record(id), 'state', 'COMPLETED')
      redis.call('HDEL', record(id), 'body', 'meta', 'token', 'mailbox')
      redis.call('ZREM', DUE, id)
      redis.call('DECRBY', BYTES, r.bytes or 0)
      ring('done', id, r.node, 'COMPLETED')
    end
  end
  redis.call('DEL', unacknowledged(worker))
end
"""
_PUBLISH_ONLY = """  local own = answers(id)
  redis.pcall('XADD', own, '*', 'type', 'final', 'payload', final)
  if r.callback ~= own then
    redis.pcall('XADD', r.callback, '*', 'type', 'final', 'payload', final)
  end
  post(r.mailbox, id, 'final', final)
  redis.call('SREM', inflight(r.node), id)
  redis.call('SADD', unacknowledged(r.worker), id)
  return 'OK'
"""


def split_publish_and_ack(text: str) -> str:
    """`finish` only publishes; the record is closed at its worker's next start, finish or beat,
    and never if the worker dies in between: XADD, then XACK."""
    text = swap(text, "local LIMIT_OF = {", _ACKNOWLEDGE + "\nlocal LIMIT_OF = {")
    text = swap(text, "  close(id, r, state, final, a[8])\n  return 'OK'\n", _PUBLISH_ONLY)
    text = swap(
        text,
        "  publish(id, r, seq, chunk)\n",
        "  acknowledge(r.worker)\n  publish(id, r, seq, chunk)\n",
    )
    text = swap(
        text,
        "  local mine = token .. ':' .. worker\n",
        "  acknowledge(worker)\n  local mine = token .. ':' .. worker\n",
    )
    return swap(
        text, "local function beat(_, a)\n", "local function beat(_, a)\n  acknowledge(a[2])\n"
    )


def emit_without_token_check(text: str) -> str:
    """`emit` lets a zombie speak and keep a lease."""
    return swap(
        text,
        "if v[1] ~= 'RUNNING' or v[2] ~= token then return 'FENCED' end",
        "if v[1] ~= 'RUNNING' then return 'FENCED' end",
    )


def emit_without_renewal(text: str) -> str:
    """`emit` never renews the lease."""
    return swap(text, "if held > t + lease or held < t + lease * 2 / 3 then", "if false then")


def chunks_without_marks(text: str) -> str:
    """A repeated chunk is published again on a client's own stream."""
    return swap(text, "if published(id, r.attempt, seq) then return end", "")


def release_without_token_check(text: str) -> str:
    """`release` takes running work from another worker."""
    return swap(text, "or r.token ~= a[2] then return 'FENCED' end", "then return 'FENCED' end")


def sweep_without_requeue(text: str) -> str:
    """What is given back is in no queue."""
    return swap(text, "  redis.call('ZADD', QUEUE, r.score, id) -- its original position\n", "")


def requeue_at_the_end(text: str) -> str:
    """What is given back loses its place."""
    return swap(
        text,
        "redis.call('ZADD', QUEUE, r.score, id) -- its original position",
        "redis.call('ZADD', QUEUE, r.score + 1e9, id)",
    )


def sweep_blind_to_steps(text: str) -> str:
    """`sweep` takes every clock step for time."""
    return swap(text, "if math.abs(t - expected) > JUMP_MS then", "if false then")


def sweep_without_epoch(text: str) -> str:
    """A deposed planner goes on assigning and sweeping."""
    return swap(
        text,
        "local function is_planner(epoch) "
        "return redis.pcall('HGET', PLANNER, 'epoch') == epoch end",
        "local function is_planner() return true end",
    )


def crashes_never_counted(text: str) -> str:
    """A poison request runs for ever."""
    return swap(
        text,
        "redis.call('HINCRBY', record(id), counter, 1) >= limits[kind]",
        "redis.call('HINCRBY', record(id), counter, 1) >= 1e9",
    )


def admit_without_settling(text: str) -> str:
    """The intake entry stays pending after the record was made."""
    return swap(
        text,
        "  settle_entry(a[15], a[16], a[17])\n  local t, behind = now()\n  local score, deadline",
        "  local t, behind = now()\n  local score, deadline",
    )


def admit_without_memory(text: str) -> str:
    """`admit` does not look whether it knows the id."""
    return swap(
        text, "  if seen[1] then\n    if settle_entry(", "  if false then\n    if settle_entry("
    )


def cancel_ignored(text: str) -> str:
    """`emit` does not tell of a cancel."""
    return swap(text, "  if v[6] == '1' then return 'CANCEL' end\n", "")


def finish_refused_when_full(text: str) -> str:
    """`finish` lacks allow-oom: a full store keeps accepted work from ending."""
    return swap(
        text,
        "register('finish', finish, 7, { 'allow-oom' })",
        "register('finish', finish, 7, {})",
    )


def admit_when_full(text: str) -> str:
    """`admit` has allow-oom: a full store takes newcomers."""
    return swap(
        text, "register('admit', admit, 22, {})", "register('admit', admit, 22, { 'allow-oom' })"
    )


MUTANTS: Mapping[str, Mutation] = {
    f.__name__.replace("_", "-"): f
    for f in (
        finish_without_state_check,
        finish_without_token_check,
        split_publish_and_ack,
        emit_without_token_check,
        emit_without_renewal,
        chunks_without_marks,
        release_without_token_check,
        sweep_without_requeue,
        requeue_at_the_end,
        sweep_blind_to_steps,
        sweep_without_epoch,
        crashes_never_counted,
        admit_without_settling,
        admit_without_memory,
        cancel_ignored,
        finish_refused_when_full,
        admit_when_full,
    )
}


def mutant(name: str) -> str:
    """The library's source with one safeguard taken out; `name` as in MUTANTS."""
    source = library_source()
    spoilt = MUTANTS[name](source)
    assert spoilt != source
    return spoilt
