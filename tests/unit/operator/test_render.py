"""The configuration document."""

from __future__ import annotations

from typing import Any

from builders.clusters import boards, node, plan_of, seen
from orion_contracts import schema
from orion_contracts.config import DEFAULT_CONFIG, ClusterConfig, ModelConfig, NodeConfig
from orion_operator.render import planned, render, same, stamped
from orion_operator.spec import read_spec

NOW = "2026-01-31T12:00:00.000Z"


def document(spec: dict[str, Any], nodes: Any = None) -> dict[str, Any]:
    """What is written for these boards, checked against the contract."""
    read = read_spec(spec)
    made = boards(read, nodes)
    content = render(read, made, plan_of(read, made), "robot")
    written = stamped(content, None, 0, NOW)
    assert written is not None
    schema.check("config", written)
    return written


def test_the_default_resource_gives_the_default_configuration() -> None:
    """Thresholds and routing are the customer's; boards with class and slots; no models."""
    config = ClusterConfig.from_wire(document({}))

    assert (config.thresholds, config.routing) == (
        DEFAULT_CONFIG.thresholds,
        DEFAULT_CONFIG.routing,
    )
    assert config.nodes == {
        "pi-16gb": NodeConfig(node_class="16gb", slots=1),
        "pi-4gb": NodeConfig(node_class="excluded"),
        "pi-8gb": NodeConfig(node_class="8gb", slots=1),
    }
    assert config.models == ()


def test_everything_that_a_person_says_arrives() -> None:
    """Boards with drain, speed and power; models with their plan; deadlines."""
    written = document(
        {
            "nodes": [{"name": "pi-8gb", "slots": 2, "storageMiBPerSecond": 90, "idleWatts": 3,
                       "maxWatts": 9}, {"name": "pi-16gb", "drain": True}],
            "models": [{"name": "a:1b", "placement": {"nodes": ["pi-8gb"]}, "aliases": ["a"],
                        "keepAliveSeconds": 60, "contextLength": 2048, "preload": False,
                        "retain": False}, {"name": "b:1b", "fallback": "a:1b"}],
            "routing": {"whenNoNodeEligible": "Reject", "defaultDeadlineSeconds": 90,
                        "energyTieSeconds": 0.5},
        }
    )  # fmt: skip
    config = ClusterConfig.from_wire(written)

    assert config.node("pi-8gb") == NodeConfig(
        node_class="8gb", slots=2, storage_bytes_per_second=90 * 2**20, idle_w=3, max_w=9
    )
    assert config.node("pi-16gb").drain == "requested"
    assert config.models == (
        ModelConfig(name="a:1b", nodes=("pi-8gb",), preload=False, retain=False,
                    keep_alive_seconds=60, context_length=2048, aliases=("a",)),
        ModelConfig(name="b:1b", nodes=("pi-16gb",), fallback="a:1b")
        if config.models[1].nodes == ("pi-16gb",)
        else ModelConfig(name="b:1b", nodes=("pi-8gb",), fallback="a:1b"),
    )  # fmt: skip
    assert config.routing.when_no_node_eligible == "Reject"
    assert (config.routing.default_deadline_s, config.routing.energy_tie_s) == (90, 0.5)


def test_a_cordoned_node_drains() -> None:
    """`kubectl cordon` is enough."""
    config = ClusterConfig.from_wire(document({}, [node("pi", unschedulable=True)]))

    assert config.node("pi").drain == "cordoned"


def test_the_same_is_not_written_twice() -> None:
    """Apart from its generation and time; anything else gives the next generation."""
    first = document({})
    content = {k: v for k, v in first.items() if k not in ("generation", "timestamp")}
    other = content | {"source": "somebody"}

    assert (first["generation"], first["timestamp"]) == (1, NOW)
    assert same(content, first)
    assert stamped(content, first, 1, NOW) is None
    changed = stamped(other, first, 1, NOW)
    assert changed is not None
    assert changed["generation"] == 2


def test_generations_grow_also_when_the_store_lost_them() -> None:
    """The higher of what is there and what this operator wrote."""
    content: dict[str, Any] = {"version": "1.0"}
    emptied = stamped(content, None, 41, NOW)
    behind = stamped(content, {"generation": 7}, 41, NOW)
    ahead = stamped(content, {"generation": 99}, 41, NOW)

    found = [w["generation"] for w in (emptied, behind, ahead) if w]
    assert found == [42, 42, 100]


def test_the_plan_is_remembered_in_the_document() -> None:
    """A restarted operator begins with what is in force."""
    written = document({"models": [{"name": "a:1b"}]})

    assert planned(written) == {"a:1b": tuple(written["models"][0]["nodes"])}
    assert planned(None) == planned({"generation": 3}) == {}


def test_a_board_that_is_silent_is_configured_all_the_same() -> None:
    """Its worker reads it when it is back."""
    read = read_spec({})
    made = boards(read, [node("a"), node("b")], {"a": seen("a")})
    content = render(read, made, {}, "robot")

    assert set(content["nodes"]) == {"a", "b"}
