"""The canned engine's answers."""

from orion_lab.canned import DEFAULT_TOKENS, answer
from orion_lab.engine import Message, Task
from orion_lab.prefixes import after_answer, uncached_share


def ask(text: str, **more: object) -> tuple[tuple[str, ...], str]:
    """The answer to one question."""
    return answer(Task(messages=(Message("user", text),), **more))  # type: ignore[arg-type]


def test_known_questions_have_their_answer() -> None:
    """In words, so that a stream of it is visible."""
    pieces, reason = ask("What is the capital of France?")

    assert "".join(pieces) == "The capital of France is Paris."
    assert (len(pieces), reason) == (6, "stop")


def test_the_same_task_gets_the_same_tokens() -> None:
    """A rerun with the same seed on another board continues the same text."""
    assert ask("walk", seed=7) == ask("walk", seed=7)
    assert ask("walk", seed=7) != ask("walk", seed=8)
    assert ask("walk") != ask("run")
    assert ask("walk", seed=7) != ask("walk", seed=7, salt="other board")


def test_num_predict_is_the_number_of_tokens() -> None:
    """Without one the answer ends by itself."""
    assert [len(ask("walk", num_predict=n)[0]) for n in (1, 5, 200)] == [1, 5, 200]
    assert ask("walk", num_predict=5)[1] == "length"
    pieces, reason = ask("walk")
    assert (len(pieces), reason) == (DEFAULT_TOKENS, "stop")
    assert len(ask("capital of France", num_predict=3)[0]) == 3


def test_a_longer_answer_begins_with_the_shorter_one() -> None:
    """Tokens do not depend on the limit."""
    assert ask("walk", num_predict=20)[0][:5] == ask("walk", num_predict=5)[0]


def test_stop_sequences_end_it_before_themselves() -> None:
    """Also in the middle of a token, and across two."""
    assert ask("capital of France", stop=(" Paris",))[0] == (
        "The",
        " capital",
        " of",
        " France",
        " is",
    )
    assert "".join(ask("capital of France", stop=("rance",))[0]) == "The capital of F"
    assert ask("capital of France", stop=("nowhere",))[1] == "stop"


def test_a_format_makes_json() -> None:
    """Whatever the schema says: one object with an answer."""
    assert "".join(ask("capital of France", format="json")[0]) == (
        '{"answer": "The capital of France is Paris."}'
    )


def test_a_follow_up_only_pays_for_what_is_new() -> None:
    """The kept conversation, reply included, is a prefix of the next turn."""
    first = Task(messages=(Message("user", "a" * 90),))
    kept = after_answer((), first, "b" * 90, 1)
    turns = (*first.messages, Message("assistant", "b" * 90), Message("user", "c" * 20))
    follow_up = Task(messages=turns)

    assert uncached_share((), follow_up) == 1.0
    assert uncached_share(kept, follow_up) < 0.2
    assert uncached_share(kept, Task(messages=(Message("user", "zzz"),))) > 0.3


def test_the_cache_holds_as_many_conversations_as_it_may() -> None:
    """A continued conversation replaces itself; the oldest one goes."""
    tasks = [Task(messages=(Message("user", name),)) for name in "abc"]
    kept: list[str] = []
    for task in tasks:
        kept = after_answer(kept, task, "reply", 2)

    assert [uncached_share(kept, task) == 0.0 for task in tasks] == [False, True, True]


def test_a_length_in_the_prompt_is_kept() -> None:
    """Where no option says it; an option still bounds it."""
    pieces, reason = ask("[1] Answer in exactly 37 words.")
    assert (len(pieces), reason) == (37, "stop")

    pieces, reason = ask("Answer in exactly 37 words.", num_predict=8192)
    assert (len(pieces), reason) == (37, "stop")

    pieces, reason = ask("Answer in exactly 37 words.", num_predict=5)
    assert (len(pieces), reason) == (5, "length")
