"""Entries that are no valid requests: an error response or a dead letter each, and the consumer
serves the next one."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from integration.producers import hostile
from integration.producers.customer import (
    REQUESTS,
    Document,
    Producer,
    fresh_id,
    node_stream,
    request,
)
from orion_lab.stack import Stack

STREAMS = [REQUESTS, node_stream("pi-a")]
SHORT = {"num_predict": 2}
NIL = "00000000-0000-0000-0000-000000000000"

pytestmark = pytest.mark.parametrize("stream", STREAMS, ids=["intake", "board"])


def served(producer: Producer, stream: str) -> None:
    """The consumer of this stream serves the next request."""
    asked = request(options=SHORT)
    producer.add(asked, stream)
    assert producer.wait(asked["callback"])["response"]


def test_each_is_answered_and_buried(producer: Producer, stream: str) -> None:
    """An error response under its own id on its callback, a copy in the dead letters, and after
    each of them a valid request is served."""
    sent = {kind: hostile.entry(make) for kind, make in hostile.ANSWERED.items()}
    entries, valid = _send(producer, stream, {kind: raw for kind, (_, raw) in sent.items()})

    for kind, (asked, _) in sent.items():
        answer = producer.wait(asked["callback"])
        assert answer["request_id"] == asked["request_id"], kind
        assert 0 < len(answer["error"]) <= 1000, kind
        assert producer.wait_dead("entry", entries[kind])["stream"] == stream, kind
    _all_served(producer, stream, valid, entries)
    for kind, (asked, _) in sent.items():
        assert len(producer.answers(asked["callback"])) == 1, kind


def test_each_is_buried(producer: Producer, stream: str) -> None:
    """Where nobody can be told: a dead letter with a bounded sample of it."""
    sent = {kind: hostile.entry(make)[1] for kind, make in hostile.ONLY_BURIED.items()}
    entries, valid = _send(producer, stream, sent)

    for kind, entry in entries.items():
        letter = producer.wait_dead("entry", entry)
        assert letter["why"], kind
        assert len(letter["sample"]) <= 512, kind
    _all_served(producer, stream, valid, entries)


def test_a_bad_id_is_answered_without_one(producer: Producer, stream: str) -> None:
    """An error response on the callback: it has to carry a UUID, so it carries the nil one."""
    sent: dict[str, Document] = {
        kind: {**request(), "request_id": bad} for kind, bad in hostile.BAD_IDS.items()
    }
    entries, valid = _send(producer, stream, {k: json.dumps(d).encode() for k, d in sent.items()})

    for kind, asked in sent.items():
        answer = producer.wait(asked["callback"])
        assert (answer["request_id"], bool(answer["error"])) == (NIL, True), kind
        producer.wait_dead("entry", entries[kind])
    _all_served(producer, stream, valid, entries)


def test_a_bad_callback_is_never_written_to(producer: Producer, stream: str) -> None:
    """The key stays as it is; a dead letter, or an answer where answers without callback lie."""
    sent = {kind: request(callback=bad) for kind, bad in hostile.BAD_CALLBACKS.items()}
    named = [each["callback"] for each in sent.values() if isinstance(each["callback"], str)]
    before = {key: producer.store.type(key) for key in named}
    entries, valid = _send(producer, stream, {k: json.dumps(d).encode() for k, d in sent.items()})

    for kind, asked in sent.items():
        assert "callback" in producer.wait_dead("entry", entries[kind])["why"], kind
        key = asked["callback"]
        if isinstance(key, str):
            assert asked["request_id"] not in _texts(producer, key), kind
            assert before[key] == b"stream" or producer.store.type(key) != b"stream", kind
    _all_served(producer, stream, valid, entries)


def _send(
    producer: Producer, stream: str, sent: dict[str, bytes]
) -> tuple[dict[str, str], dict[str, Document]]:
    """Each hostile entry with a valid request behind it: the entries' ids, the valid requests."""
    entries: dict[str, str] = {}
    valid: dict[str, Document] = {}
    for kind, raw in sent.items():
        entries[kind] = producer.add(raw, stream)
        valid[kind] = request(options=SHORT)
        producer.add(valid[kind], stream)
    return entries, valid


def _all_served(
    producer: Producer, stream: str, valid: dict[str, Document], entries: dict[str, str]
) -> None:
    for kind, asked in valid.items():
        assert producer.wait(asked["callback"]).get("response"), f"the request after {kind}"
    for kind, entry in entries.items():
        assert producer.is_settled(entry, stream), kind


def _texts(producer: Producer, key: str) -> str:
    """What the answers' entries on this key say; empty for other keys than streams."""
    if producer.store.type(key) != b"stream":
        return ""
    entries = cast(Any, producer.store.xrange(key))
    return repr([f for _, f in entries if f.get(b"type") in (b"final", b"chunk")])


ODD_FIELDS: dict[str, dict[str, bytes | str]] = {
    "no payload field": {"message": "{}"},
    "many fields": {f"field-{n}": "x" * 1000 for n in range(200)},
    "binary field names": {"\x00\x01": b"\xff\xfe"},
    "an empty field name": {"": ""},
    "a huge field name": {"f" * 100_000: "x"},
    "half a doorbell": {"id": NIL},
}


def test_an_entry_without_a_payload_is_buried(producer: Producer, stream: str) -> None:
    """A dead letter that says which field was expected."""
    for kind, fields in ODD_FIELDS.items():
        entry = producer.add_fields(fields, stream)
        letter = producer.wait_dead("entry", entry)
        assert "payload" in letter["why"], kind
        assert len(letter["sample"]) <= 512, kind
    served(producer, stream)


FORGED: dict[str, dict[str, bytes | str]] = {
    "of no request": {"id": fresh_id(), "token": "1:abc:def"},
    "of nonsense": {"id": "../../x", "token": "\x00"},
    "not UTF-8": {"id": b"\xff", "token": b"\xfe"},
    "a cancel of nothing": {"type": "cancel", "request_id": b"\xff\x00"},
}


def test_a_forged_doorbell_starts_nothing(producer: Producer, stream: str) -> None:
    """It is settled, and the consumer serves the next request."""
    for kind, fields in FORGED.items():
        entry = producer.add_fields(fields, stream)
        served(producer, stream)
        assert producer.is_settled(entry, stream), kind


def test_the_same_request_twice_has_one_answer(producer: Producer, stream: str) -> None:
    """A repeated XADD (its reply was lost): one final, no dead letter."""
    asked = request()
    producer.add(asked, stream)
    second = producer.add(asked, stream)
    producer.wait(asked["callback"])
    third = producer.add(asked, stream)
    served(producer, stream)

    assert producer.is_settled(second, stream)
    assert producer.is_settled(third, stream)
    assert len(producer.answers(asked["callback"])) == 1
    assert all(letter["id"] != asked["request_id"] for letter in producer.dead())


def test_an_id_reused_for_something_else_is_buried(producer: Producer, stream: str) -> None:
    """The first keeps its one answer; the second is a dead letter that says why."""
    asked = request()
    producer.add(asked, stream)
    producer.wait(asked["callback"])
    producer.add({**asked, "messages": [{"role": "user", "content": "something else"}]}, stream)

    letter = producer.wait_dead("id", asked["request_id"])
    assert letter["why"].startswith("duplicate_id")
    served(producer, stream)
    assert len(producer.answers(asked["callback"])) == 1


@pytest.mark.parametrize("kind", ["string", "hash", "list", "set", "zset"])
def test_a_callback_of_another_type_keeps_its_value(
    producer: Producer, stream: str, kind: str
) -> None:
    """A valid request whose callback is no stream: the answer lies under its own id, a dead
    letter tells, and the key is as it was."""
    store, key = producer.store, f"navigation:thing:{fresh_id()}"
    make: dict[str, Any] = {
        "string": lambda: store.set(key, "v"),
        "hash": lambda: store.hset(key, "f", "v"),
        "list": lambda: store.rpush(key, "v"),
        "set": lambda: store.sadd(key, "v"),
        "zset": lambda: store.zadd(key, {"v": 1}),
    }
    make[kind]()
    before = store.dump(key)
    asked = request(callback=key, stream=True)
    producer.add(asked, stream)

    own = f"orion:inference:responses:{asked['request_id']}"
    assert producer.wait(own)["response"]
    assert producer.wait_dead("id", asked["request_id"])["why"].startswith("undeliverable")
    assert store.dump(key) == before
    served(producer, stream)


def test_an_invalid_request_to_a_key_of_another_type_is_buried(
    producer: Producer, stream: str
) -> None:
    """Nowhere to answer to: a dead letter, and the key is as it was."""
    key = f"navigation:thing:{fresh_id()}"
    producer.store.set(key, "v")
    entry = producer.add(request(callback=key, version="3"), stream)

    producer.wait_dead("entry", entry)
    served(producer, stream)
    assert producer.store.get(key) == b"v"


def test_the_processes_are_the_same(system: Stack, producer: Producer, stream: str) -> None:
    """After a hundred hostile entries at once nothing was restarted and nothing is left over."""
    names = [*system.programs, "store"]
    pids = {name: system.pid(name) for name in names}
    pipe = producer.store.pipeline(transaction=False)
    kinds = [*hostile.ANSWERED.values(), *hostile.ONLY_BURIED.values()]
    for make in kinds * 2:
        raw = hostile.entry(make)[1]
        if len(raw) < 100_000:
            pipe.xadd(stream, {"payload": raw})
    pipe.execute()
    served(producer, stream)

    assert {name: system.pid(name) for name in names} == pids
    system.wait_until(lambda: producer.store.xlen(stream) == 0, f"{stream} is empty")
    groups = cast(Any, producer.store.xinfo_groups(stream))
    assert [group["pending"] for group in groups] == [0]
    assert json.loads(system.http.get(f"{system.url}/health").text)["status"] == "pass"
