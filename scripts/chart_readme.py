"""Writes the table of values into the chart's README.

Meanings come from values.schema.json, defaults from values.yaml.

python scripts/chart_readme.py          # rewrite charts/orion-inference/README.md
python scripts/chart_readme.py --check  # say what differs and end with status 1
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[1] / "charts" / "orion-inference"
BEGIN = (
    "<!-- values: written by scripts/chart_readme.py from values.schema.json and values.yaml -->"
)
END = "<!-- end of values -->"
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One value."""

    name: str
    default: str
    meaning: str

    def __str__(self) -> str:
        return f"| `{self.name}` | {self.default} | {self.meaning} |"


def rows(schema: Schema, values: Mapping[str, Any], root: Schema, name: str = "") -> Iterator[Row]:
    """A row for each value, and one for each group that has a meaning of its own."""
    for key, each in schema["properties"].items():
        inner = resolved(each, root)
        path = f"{name}.{key}" if name else key
        default: Any = values.get(key)
        if "properties" in inner:
            yield Row(path, "", f"**{inner['description']}**")
            yield from rows(inner, default or {}, root, path)
        elif path == "nodeClasses":
            yield Row(path, ", ".join(f"`{c}`" for c in default), inner["description"])
            (one,) = (resolved(named, root) for named in inner["patternProperties"].values())
            yield from of_classes(one, default, f"{path}.CLASS")
        elif key != "global":
            yield Row(path, shown(default), meaning(inner))


def of_classes(schema: Schema, classes: Mapping[str, Any], name: str) -> Iterator[Row]:
    """Rows of what each class has, with the defaults of all classes side by side."""
    for key, each in schema["properties"].items():
        defaults = {label: settings[key] for label, settings in classes.items()}
        if "properties" in each:
            yield from of_classes(each, defaults, f"{name}.{key}")
        else:
            told = list(dict.fromkeys(shown(default) for default in defaults.values()))
            sides = [f"{label}: {shown(default)}" for label, default in defaults.items()]
            yield Row(
                f"{name}.{key}", told[0] if len(told) == 1 else ", ".join(sides), meaning(each)
            )


def resolved(schema: Schema, root: Schema) -> Schema:
    """The schema that a $ref names; a description beside the reference wins."""
    for reference in (schema, *schema.get("allOf", ())):
        if "$ref" in reference:
            found = root["definitions"][reference["$ref"].removeprefix("#/definitions/")]
            return {**found, **{k: v for k, v in schema.items() if k not in ("$ref", "allOf")}}
    return schema


def shown(value: Any) -> str:
    """A default as one would write it."""
    if value in ("", [], {}, None):
        return "-"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def meaning(schema: Schema) -> str:
    """What it means, and what it may be where that is a short list."""
    text: str = schema["description"]
    if "enum" in schema:
        missing = [word for word in schema["enum"] if f"`{word}`" not in text]
        text += f" One of {', '.join(f'`{w}`' for w in schema['enum'])}." if missing else ""
    if "minimum" in schema:
        text += f" {schema['minimum']} to {schema['maximum']}."
    return text.replace("|", "\\|")


def page(text: str) -> str:
    """The README with its table written anew."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    table = ["| value | default | meaning |", "|---|---|---|"]
    table += map(str, rows(schema, values, schema))
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n" + "\n".join(table) + f"\n{END}{tail}"


def main() -> int:
    """The program."""
    readme = CHART / "README.md"
    before = readme.read_text()
    after = page(before)
    if sys.argv[1:] == ["--check"]:
        gone = set(before.splitlines()) ^ set(after.splitlines())
        sys.stdout.write("".join(f"{line}\n" for line in sorted(gone)))
        return int(before != after)
    readme.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
