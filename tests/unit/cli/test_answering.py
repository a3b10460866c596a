"""Following one answer through broken connections."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from orion_cli import answering
from orion_cli.answering import Answer
from orion_cli.problem import FAILED, UNREACHABLE, Problem
from orion_router.gateway.faults import ENDING

DONE = {"message": {"content": ""}, "done": True, "eval_count": 4, "eval_duration": 2_000_000_000}
HEADERS = {"x-orion-node": "pi", "x-orion-queue-ms": "12", "x-orion-residency": "cold"}
Handler = Callable[[httpx.Request], httpx.Response]


class Stream(httpx.SyncByteStream):
    """Lines, then the end or a broken connection."""

    def __init__(self, *pieces: str, done: bool = True, breaks: bool = False) -> None:
        documents = [{"message": {"content": piece}, "done": False} for piece in pieces]
        self._documents = [*documents, *([DONE] if done else [])]
        self._breaks = breaks

    def __iter__(self) -> Iterator[bytes]:
        for document in self._documents:
            yield json.dumps(document).encode() + b"\n"
        if self._breaks:
            raise httpx.ReadError("reset")


def asked(*answers: httpx.Response | Exception) -> tuple[Answer, list[httpx.Request]]:
    """An answer over a transport that gives these, one for each request."""
    seen: list[httpx.Request] = []
    left = list(answers)

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    http = httpx.Client(base_url="http://x", transport=httpx.MockTransport(handler))
    return Answer(http, {"model": "m"}, "an-id"), seen


def ok(*pieces: str, done: bool = True, breaks: bool = False) -> httpx.Response:
    """A streamed answer."""
    return httpx.Response(200, headers=HEADERS, stream=Stream(*pieces, done=done, breaks=breaks))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between two attempts."""
    monkeypatch.setattr(answering, "PAUSE_S", 0.0)


def test_tokens_are_printed_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has the text alone; the note says who, how long, how fast."""
    answer, _ = asked(ok("He", "llo", " \x1b[31mworld"))
    text, note = answer.print()
    assert text == "Hello \x1b[31mworld"
    assert capsys.readouterr().out == "Hello [31mworld\n"
    assert note == "pi · queued 12 ms · cold · 4 tokens, 2.0 tokens/s"


@pytest.mark.parametrize("breaks", [True, False])
def test_a_broken_answer_goes_on_where_it_was(
    breaks: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked again under the same id, through refusals; nothing is printed twice."""
    answer, seen = asked(
        ok("The capital", " is", done=False, breaks=breaks),
        httpx.ConnectError("refused"),
        httpx.Response(503, json={"error": "starting"}),
        ok("The ", "capital is Pa", "ris."),
    )
    text, note = answer.print()
    assert text == "The capital is Paris."
    assert capsys.readouterr().out == "The capital is Paris.\n"
    assert {request.headers["x-orion-request-id"] for request in seen} == {"an-id"}
    assert "rejoined" in note


def test_a_router_that_says_it_is_ending_is_rejoined(capsys: pytest.CaptureFixture[str]) -> None:
    """Before the first token or in mid-answer: in the router's own words, it goes on where it
    was at the next router."""
    said = {"error": ENDING.text}
    middle = b'{"message":{"content":"The cap"}}\n' + json.dumps(said).encode() + b"\n"
    answer, seen = asked(
        httpx.Response(ENDING.status, json=said),
        httpx.Response(200, content=middle),
        httpx.ConnectError("refused"),
        ok("The capital is Paris."),
    )
    text, note = answer.print()
    assert text == "The capital is Paris."
    assert capsys.readouterr().out == "The capital is Paris.\n"
    assert len(seen) == 4
    assert "rejoined" in note


def test_an_answer_that_begins_anew_and_differs_is_said_so() -> None:
    """Two different texts are never glued together."""
    answer, _ = asked(ok("The capital", done=False), ok("A city"))
    with pytest.raises(Problem, match="differs"):
        answer.print()


def test_a_gateway_that_stays_away_ends_with_the_way_to_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The request is kept: the remedy names where its answer will be."""
    monkeypatch.setattr(answering, "REJOIN_WITHIN_S", -1.0)
    answer, _ = asked(ok("The", done=False), httpx.ConnectError("refused"))
    with pytest.raises(Problem, match="did not come back") as caught:
        answer.print()
    assert caught.value.code == UNREACHABLE
    assert "/v1/requests/an-id" in caught.value.remedy


def test_nobody_there_at_all() -> None:
    """The first attempt is not repeated: most likely the address is wrong."""
    answer, _ = asked(httpx.ConnectError("refused"))
    with pytest.raises(Problem, match="no gateway answers") as caught:
        answer.print()
    assert caught.value.code == UNREACHABLE


@pytest.mark.parametrize(
    ("response", "text", "remedy"),
    [
        (httpx.Response(404, json={"error": "model 'x' not found"}), "model 'x' not found", "pull"),
        (httpx.Response(400, json={"error": {"message": "bad option"}}), "bad option", ""),
        (
            httpx.Response(503, json={"error": "full"}, headers={"retry-after": "7"}),
            "full",
            "in 7 s",
        ),
        (httpx.Response(500, text="<html>"), "answered 500", ""),
    ],
)
def test_refusals_in_the_gateways_own_words(
    response: httpx.Response, text: str, remedy: str
) -> None:
    """Any of the error shapes, with what to do where the status tells."""
    answer, _ = asked(response)
    with pytest.raises(Problem, match=text) as caught:
        answer.print()
    assert caught.value.code == FAILED
    assert remedy in caught.value.remedy


def test_an_error_in_mid_stream() -> None:
    """What was said stays; the error ends it."""
    broken = httpx.Response(200, content=b'{"message":{"content":"a"}}\n{"error":"diverged"}\n')
    answer, _ = asked(broken)
    with pytest.raises(Problem, match="diverged"):
        answer.print()
