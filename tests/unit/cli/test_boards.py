"""Which boards `orion up` serves."""

import pytest

from orion_cli.boards import LOCAL_OLLAMA, Choice, choose, parse_node
from orion_cli.problem import USAGE, Problem
from orion_contracts.classes import GIB


def chosen(*nodes: str, ollama_here: bool = False, simulate: bool = False, gib: int = 8) -> Choice:
    """The choice on a computer called `desk`."""
    return choose(
        nodes,
        ollama_here=ollama_here,
        simulate=simulate,
        hostname="desk",
        memory_bytes=gib * GIB,
    )


def test_named_boards_win() -> None:
    """--node is served even where an Ollama runs here, and says what cannot be known of it."""
    choice = chosen("a=http://10.0.0.1:11434", "b=10.0.0.2", ollama_here=True)
    assert [(b.name, b.url) for b in choice.boards] == [
        ("a", "http://10.0.0.1:11434"),
        ("b", "http://10.0.0.2:11434"),
    ]
    assert all(b.eligible and b.memory_bytes is None for b in choice.boards)
    assert "unknown" in choice.notes[0]


def test_the_ollama_found_here_comes_second() -> None:
    """One board, named after this computer, in the class of its memory."""
    choice = chosen(ollama_here=True)
    assert [(b.name, b.url, b.class_name) for b in choice.boards] == [("desk", LOCAL_OLLAMA, "8gb")]


def test_a_small_computer_is_used_and_told() -> None:
    """Excluded in a cluster, but here there is nothing else: it works, with a note."""
    choice = chosen(ollama_here=True, gib=4)
    assert choice.boards[0].eligible
    assert "4.0 GiB" in choice.notes[0]


@pytest.mark.parametrize("ollama_here", [False, True])
def test_simulated_boards_otherwise_or_when_asked(ollama_here: bool) -> None:
    """16 GB and 8 GB work; 4 GB is shown, with the reason, and gets no agent."""
    choice = chosen(ollama_here=ollama_here, simulate=True)
    assert choice.kind == "simulated"
    assert {b.name: (b.class_name, b.eligible) for b in choice.boards} == {
        "pi-16gb": ("16gb", True),
        "pi-8gb": ("8gb", True),
        "pi-4gb": ("excluded", False),
    }
    assert "4 GB" in choice.boards[2].why


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("a=pi.local", "http://pi.local:11434"),
        ("a=pi.local:80", "http://pi.local:80"),
        ("a=https://pi.example", "https://pi.example:443"),
        ("a=http://[fd00::1]:11434/", "http://[fd00::1]:11434"),
        ("a=http://[fe80::1%eth0]", "http://[fe80::1%eth0]:11434"),
        ("a=pi_5.größe.example", "http://pi_5.größe.example:11434"),
        ("a=http://gate/pi/", "http://gate:11434/pi"),
    ],
)
def test_addresses_are_completed(text: str, url: str) -> None:
    """Scheme and port may be left out."""
    assert parse_node(text).url == url


@pytest.mark.parametrize(
    "text",
    ["", "pi", "pi=", "=http://x", "a b=http://x", "a=http://x:99999", "a=ftp://x", "a=//",
     "a=b=c", "a=http://b=c:11434", "a=x,b=y", "a=http://[x]", "a=http://[fd00", "a=pi 5"],
)  # fmt: skip
def test_nonsense_is_refused_with_an_example(text: str) -> None:
    """Wrong usage: the text that was given, and how to write it."""
    with pytest.raises(Problem, match="--node") as caught:
        parse_node(text)
    assert caught.value.code == USAGE
    assert caught.value.remedy


def test_names_are_unique_and_simulation_is_for_no_named_board() -> None:
    """Two boards of one name, or an engine for a real board: refused."""
    with pytest.raises(Problem, match="twice"):
        chosen("a=x", "a=y")
    with pytest.raises(Problem, match="simulated"):
        chosen("a=x", simulate=True)
