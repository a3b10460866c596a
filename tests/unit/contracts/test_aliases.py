"""Further names of models, and which model answers in place of which."""

from __future__ import annotations

from orion_contracts.aliases import ladder, problems, real_names
from orion_contracts.config import ClusterConfig, ModelConfig


def model(name: str, *aliases: str, fallback: str | None = None) -> ModelConfig:
    return ModelConfig(name=name, aliases=aliases, fallback=fallback)


def test_an_alias_stands_for_its_model_with_and_without_a_tag() -> None:
    """No tag means `latest`; what is no alias keeps its spelling."""
    config = ClusterConfig(models=(model("big:3b", "assistant", "chat:v1"),))

    assert config.aliases == {"assistant:latest": "big:3b", "chat:v1": "big:3b"}
    assert config.real_name("assistant") == config.real_name("assistant:latest") == "big:3b"
    assert config.real_name("chat:v1") == "big:3b"
    assert config.real_name("chat") == "chat"
    assert config.real_name("big:3b") == "big:3b"
    assert ClusterConfig().real_name("assistant") == "assistant"


def test_a_models_own_name_is_never_an_alias() -> None:
    """Whichever is listed first; and one that two models claim means neither."""
    models = (model("a:1b", "b", "twice"), model("b", "twice:latest", "b", "mine"))

    assert real_names(models) == {"mine:latest": "b"}
    assert [(p.at, p.field, p.text) for p in problems(models)] == [
        (0, "aliases", "b:latest is another model's own name; choose another alias"),
        (0, "aliases", "twice:latest is an alias of two models; give it to one of them"),
        (1, "aliases", "twice:latest is an alias of two models; give it to one of them"),
    ]


def test_a_ladder_goes_down_step_by_step() -> None:
    """7B, 3B, 1B; from the middle the rest of it; the smallest has none."""
    models = (model("x:7b", fallback="x:3b"), model("x:3b", fallback="x"), model("x"))

    assert ladder(models, "x:7b") == ["x:3b", "x"]
    assert ladder(models, "x:3b") == ["x"]
    assert ladder(models, "x:latest") == []
    assert ladder(models, "other") == []
    assert problems(models) == []


def test_a_circle_ends_and_is_told_where_it_is() -> None:
    """At each of its models, not at the one that only leads into it."""
    models = (model("a", fallback="b"), model("b", fallback="c:latest"), model("c", fallback="b"))

    assert ladder(models, "a") == ["b", "c:latest"]
    assert ladder(models, "b") == ["c:latest"]
    assert [(p.at, p.field) for p in problems(models)] == [(1, "fallback"), (2, "fallback")]
    assert problems(models)[0].text.startswith("b:latest → c:latest → b:latest is a circle")
    assert problems((model("a", fallback="a:latest"),))[0].field == "fallback"
