"""Writes the tables of fields into docs/kubernetes/inferencecluster.md, from the chart's CRD.

python scripts/crd_docs.py          # rewrite the page
python scripts/crd_docs.py --check  # say what differs and end with status 1
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml

ROOT = Path(__file__).parents[1]
CRD = ROOT / "charts" / "orion-inference" / "crds" / "inferenceclusters.yaml"
PAGE = ROOT / "docs" / "kubernetes" / "inferencecluster.md"
BEGIN, END = "<!-- {}: written by scripts/crd_docs.py -->", "<!-- end of {} -->"
Schema = Mapping[str, Any]


class Field(NamedTuple):
    """One field: where it is, and what its schema says."""

    path: str
    schema: Schema
    required: bool


def crd_schema() -> Schema:
    """The whole resource."""
    crd = yaml.safe_load(CRD.read_text())
    return cast(Schema, crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def fields(schema: Schema, path: str) -> Iterator[Field]:
    """Everything below `path`, groups before what they hold."""
    needed = schema.get("required", ())
    for name, each in schema["properties"].items():
        inner, where = each, f"{path}.{name}"
        if each.get("type") == "array" and "properties" in each["items"]:
            inner, where = each["items"], f"{where}[]"
        yield Field(where, each, name in needed)
        if "properties" in inner:
            yield from fields(inner, where)


def rules(schema: Schema) -> Iterator[str]:
    """What the API server refuses beyond types and bounds, in its own words."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield rule["message"]
    for each in (*schema.get("properties", {}).values(), schema.get("items")):
        if each:
            yield from rules(each)


def allowed(schema: Schema) -> str:
    """What may be written there, in short."""
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return "quantity (`12Gi`) or bytes"
    kind = schema["type"]
    if kind == "array":
        of = "" if "properties" in schema["items"] else f" of {allowed(schema['items'])}"
        return f"list{of}, at most {schema['maxItems']}"
    if kind == "object":
        return ""
    if kind == "string":
        return "name" if "pattern" in schema else "text"
    if "minimum" in schema and "maximum" in schema:
        return f"{kind}, {number(schema['minimum'])} to {number(schema['maximum'])}"
    return str(kind)


def number(value: float) -> str:
    """With separators, so that a million is seen to be one."""
    return f"{value:,}"


def default(field: Field) -> str:
    """What holds where the field is absent."""
    value = field.schema.get("default")
    if field.required:
        return "required"
    if value is None or value in ([], ""):
        return "-"
    if isinstance(value, list) and isinstance(value[0], dict):
        return ", ".join(f"`{each['name']}`" for each in value)
    if isinstance(value, dict):
        return "" if len(value) > 1 else f"`{yaml.safe_dump(value, default_flow_style=True)[1:-2]}`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def spec_table(schema: Schema) -> Iterator[str]:
    """Every field that one can write."""
    yield "| field | may be | default | meaning |"
    yield "|---|---|---|---|"
    for field in fields(schema["properties"]["spec"], "spec"):
        meaning = field.schema["description"]
        if "properties" in (field.schema, field.schema.get("items", ()))[field.path.endswith("[]")]:
            meaning = f"**{meaning}**"
        yield f"| `{field.path}` | {allowed(field.schema)} | {default(field)} | {meaning} |"


def status_table(schema: Schema) -> Iterator[str]:
    """Every field that the operator writes."""
    yield "| field | meaning |"
    yield "|---|---|"
    for field in fields(schema["properties"]["status"], "status"):
        yield f"| `{field.path}` | {field.schema['description']} |"


def rule_list(schema: Schema) -> Iterator[str]:
    """One line for each rule."""
    for message in rules(schema["properties"]["spec"]):
        yield f"- {message}"


PARTS = {"fields": spec_table, "rules": rule_list, "status": status_table}


def page(text: str, schema: Schema) -> str:
    """The page with its parts written anew."""
    for name, write in PARTS.items():
        begin, end = BEGIN.format(name), END.format(name)
        head, found, rest = text.partition(begin)
        if not found or end not in rest:
            raise SystemExit(f"crd_docs: {PAGE.name} lacks {begin} or {end}")
        lines = "\n".join(write(schema))
        text = f"{head}{begin}\n{lines}\n{end}{rest.partition(end)[2]}"
    return text


def main() -> int:
    """The program."""
    before = PAGE.read_text()
    after = page(before, crd_schema())
    if sys.argv[1:] == ["--check"]:
        gone = set(before.splitlines()) ^ set(after.splitlines())
        sys.stdout.write("".join(f"{line}\n" for line in sorted(gone)))
        return int(before != after)
    PAGE.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
