"""The pages about Kubernetes, taken apart: YAML, fields, values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from chart.rendering import Object
from docs.cluster_commands import CHART
from docs.pages import ROOT

RESOURCE = "docs/kubernetes/inferencecluster.md"
PAGES = sorted((ROOT / "docs/kubernetes").glob("*.md"))
MORE = [ROOT / "README.md", ROOT / CHART / "README.md"]
CRD = yaml.safe_load((ROOT / CHART / "crds/inferenceclusters.yaml").read_text())
SCHEMA: dict[str, Any] = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
VALUES: dict[str, Any] = yaml.safe_load((ROOT / CHART / "values.yaml").read_text())
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+)(?:, …)? \|", re.MULTILINE)


def blocks(page: Path) -> list[str]:
    """The YAML of a page."""
    return _YAML.findall(page.read_text())


def resources() -> list[Object]:
    """Every InferenceCluster that is shown anywhere."""
    found = [yaml.safe_load(block) for page in [*PAGES, *MORE] for block in blocks(page)]
    return [each for each in found if each.get("kind") == "InferenceCluster"]


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as `kubectl apply` holds people to it: fields that are not named are refused."""
    found = dict(schema)
    if "properties" in found and schema["properties"]:
        found["properties"] = {name: strict(each) for name, each in found["properties"].items()}
        found["additionalProperties"] = False
    if "items" in found:
        found["items"] = strict(found["items"])
    if found.pop("x-kubernetes-int-or-string", False):
        found["type"] = ["integer", "string"]
    return found


def paths(value: Any, path: str = "spec") -> Iterator[str]:
    """Fields that a document has, as the tables name them."""
    if isinstance(value, Mapping):
        for name, inner in cast("Mapping[str, Any]", value).items():
            listed = any(isinstance(each, dict) for each in items(inner))
            yield f"{path}.{name}{'[]' if listed else ''}"
            yield from paths(inner, f"{path}.{name}")
    for each in items(value):
        yield from paths(each, f"{path}[]")


def items(value: Any) -> list[Any]:
    """Of a list; else none."""
    found: list[Any] = cast(Any, value) if isinstance(value, list) else []
    return found


def merged(base: Any, over: Any) -> Any:
    """As helm lays values over the chart's own."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    below, above = cast("dict[str, Any]", base), cast("dict[str, Any]", over)
    return {**below, **{k: merged(below.get(k), v) for k, v in above.items()}}


def field_names(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Fields of a schema, as a path of names."""
    for name, each in schema.get("properties", {}).items():
        where = f"{path}.{name}" if path else name
        yield where
        yield from field_names(each.get("items", each), where)


def words_of_rows(text: str) -> set[str]:
    """What stands in the first column of tables, word by word."""
    return set(re.findall(r"`(\w+)`", "".join(_ROW.findall(text))))
