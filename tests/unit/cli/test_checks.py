"""What `orion doctor` concludes."""

from dataclasses import replace

import pytest

from orion_cli.checks import (
    GIB,
    Finding,
    check_disk,
    check_ollama,
    check_router,
    check_store,
    version_of,
)
from orion_cli.facts import OllamaFacts, RouterFacts, StoreFacts

GOOD = StoreFacts(
    address="127.0.0.1:6379",
    version="9.1.2",
    settings={"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"},
    library=3,
    wanted_library=3,
    skew_s=0.01,
    planner="router-a",
    planner_beats=True,
    nodes=("pi-8gb",),
    sampled=4,
)


def judged(**changes: object) -> dict[str, Finding]:
    """The findings about a good store with these changes, by subject."""
    return {f.subject: f for f in check_store(replace(GOOD, **changes))}  # type: ignore[arg-type]


def test_a_good_store_has_nothing_to_say() -> None:
    """All ok, and no remedy needed."""
    assert {f.level for f in judged().values()} == {"ok"}


@pytest.mark.parametrize(
    ("changes", "subject", "level", "remedy"),
    [
        ({"error": "refused"}, "store", "fail", "orion up"),
        ({"error": "NOAUTH", "remedy": "give it"}, "store", "fail", "give it"),
        ({"version": "6.2.1"}, "store", "fail", "7.0"),
        ({"version": ""}, "store", "warn", "INFO"),
        ({"mode": "cluster"}, "store mode", "fail", "standalone"),
        ({"settings": None}, "durability", "warn", "appendonly yes"),
        ({"settings": {"appendonly": "no"}}, "durability", "fail", "CONFIG SET appendonly"),
        (
            {"settings": {"appendonly": "yes", "appendfsync": "everysec"}},
            "durability",
            "warn",
            "always",
        ),
        ({"replays": False}, "replay", "fail", "default off resetpass ~* &* +@all"),
        ({"settings": {"maxmemory-policy": "allkeys-lru"}}, "eviction", "fail", "noeviction"),
        ({"library": 0}, "ledger", "fail", "orion ledger"),
        ({"library": 2}, "ledger", "warn", "orion ledger"),
        ({"library": None}, "ledger", "warn", ""),
        ({"skew_s": -3600.0}, "clocks", "warn", "NTP"),
        ({"planner": ""}, "planner", "fail", "router"),
        ({"planner_beats": False}, "planner", "fail", "takes over"),
        ({"nodes": ()}, "boards", "fail", "worker"),
        ({"silent": ("pi-8gb",)}, "boards", "fail", "log"),
        ({"engines": {"pi-8gb": "no route"}}, "boards", "fail", "container ollama"),
        ({"draining": ("pi-8gb",)}, "boards", "warn", "--undo"),
        ({"invalid": {"orion:inference:node:a": "slots: must be"}}, "schema", "warn", "writes it"),
        ({"dead": 2}, "dead letters", "warn", "XREVRANGE"),
    ],
)
def test_each_trouble_has_its_level_and_remedy(
    changes: dict[str, object], subject: str, level: str, remedy: str
) -> None:
    """One thing wrong, one finding that says so and what to do."""
    finding = judged(**changes)[subject]
    assert finding.level == level
    assert remedy in finding.remedy


def test_one_silent_board_of_two_is_a_warning() -> None:
    """The other one still works."""
    assert judged(nodes=("a", "b"), silent=("a",))["boards"].level == "warn"


def test_one_board_without_its_ollama_is_a_warning() -> None:
    """The other one still works; the finding has the worker's words."""
    found = judged(nodes=("a", "b"), engines={"a": "connection refused"})["boards"]
    assert (found.level, "connection refused" in found.text) == ("warn", True)


@pytest.mark.parametrize(
    ("version", "machine", "level"),
    [
        ("0.30.0", "aarch64", "ok"),
        ("0.31.1-rc0", "x86_64", "ok"),
        ("0.14.3", "aarch64", "fail"),
        ("0.14.3", "", "fail"),
        ("0.14.3", "x86_64", "warn"),
        ("0.12.1", "aarch64", "warn"),
        ("custom", "x86_64", "ok"),
    ],
)
def test_ollama_versions(version: str, machine: str, level: str) -> None:
    """0.30 is advised; 0.14.3 is ten times too slow on arm64, also where the machine is unknown."""
    facts = OllamaFacts(url="http://x:1", version=version, models=("m",), machine=machine)
    assert next(iter(check_ollama(facts))).level == level


def test_an_ollama_without_models_or_answer() -> None:
    """Says which command brings a model, and how to start it."""
    empty = list(check_ollama(OllamaFacts(url="http://x:1", version="0.30.0")))
    assert "ollama pull" in empty[1].remedy
    gone = list(check_ollama(OllamaFacts(url="http://x:1", error="does not answer")))
    assert [f.level for f in gone] == ["fail"]


def test_the_router() -> None:
    """Away, unready with its own words, ready."""
    url = "http://x:1"
    assert check_router(RouterFacts(url=url, error="refused")).level == "fail"
    unready = check_router(RouterFacts(url=url, said="the store does not answer"))
    assert unready.level == "fail"
    assert "the store does not answer" in unready.text
    assert check_router(RouterFacts(url=url, ready=True)).level == "ok"


def test_disk_and_versions() -> None:
    """Thresholds, and version texts of all kinds."""
    assert [check_disk("/", n).level for n in (10 * GIB, GIB, 1)] == ["ok", "warn", "fail"]
    assert [version_of(v) for v in ("7.2.4", "0.5.1-rc2", "", "x.1")] == [
        (7, 2, 4),
        (0, 5, 1),
        (),
        (),
    ]
