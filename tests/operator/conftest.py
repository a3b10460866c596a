"""An operator with boards, a store and a namespace of its own, for each test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orion_lab.stores import StoreProcess
from servers.needs import missing
from servers.operators import Rig, rig


@pytest.fixture(scope="session")
def definition() -> None:
    """Our CRD is in the cluster."""
    from orion_operator.crd import as_yaml

    command = ["kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-"]
    subprocess.run(command, input=as_yaml(), text=True, check=True, capture_output=True)
    wait = ["kubectl", "wait", "--for=condition=Established", "--timeout=30s", "crd",
            "inferenceclusters.inference.orion.dev"]  # fmt: skip
    subprocess.run(wait, check=True, capture_output=True)


@pytest.fixture
def world(definition: None, valkey: StoreProcess, tmp_path: Path) -> Iterator[Rig]:
    """A namespace with three boards (16, 8 and 4 GB) and a store; the operator is not started."""
    with rig(tmp_path, valkey) as made:
        made.add_node("16", 15.6)
        made.add_node("8", 7.7)
        made.add_node("4", 3.7)
        yield made


@pytest.fixture
def lonely(definition: None, tmp_path: Path) -> Iterator[Rig]:
    """The same with one board and an address at which no store answers."""
    assert missing("cluster") is None
    with rig(tmp_path, None) as made:
        made.add_node("8", 7.7)
        yield made
