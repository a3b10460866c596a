"""Writes JSON schemas of everything an API server knows, for kubeconform, and strict.

KUBECONFIG=... python scripts/chart_schemas.py FOLDER
kubeconform -strict -schema-location "FOLDER/$NAMES" FILE      # NAMES: see below

They come from /openapi/v3 of the server itself, so our own resources are among them and nothing
is fetched from anywhere else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

NAMES = "{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json"
"""How kubeconform finds a schema of ours."""
_REF = "#/components/schemas/"
Schema = dict[str, Any]


def raw(path: str) -> Any:
    """What the API server says there."""
    done = subprocess.run(["kubectl", "get", "--raw", path], capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"chart_schemas: {path}: {done.stderr.decode().strip()}")
    return json.loads(done.stdout)


def schemas(read: Callable[[str], Any] = raw) -> Iterator[tuple[str, Schema]]:
    """File names and schemas, one for each kind."""
    for path, place in sorted(read("/openapi/v3")["paths"].items()):
        if not path.startswith(("api/", "apis/")):
            continue
        components: dict[str, Schema] = read(place["serverRelativeURL"])["components"]["schemas"]
        for name, schema in components.items():
            for kind in schema.get("x-kubernetes-group-version-kind", ()):
                yield file_name(kind), standalone(name, components)


def file_name(kind: Mapping[str, str]) -> str:
    """As kubeconform would fill in NAMES: a core resource's group is its version."""
    group = kind["group"] or kind["version"]
    return f"{group}_{kind['version']}_{kind['kind'].lower()}.json"


def standalone(name: str, components: Mapping[str, Schema]) -> Schema:
    """The schema with all that it refers to, none of which allows an unknown property."""
    found: dict[str, Schema] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found[each] = cast("Schema", strict(components[each]))
            waiting += references(found[each])
    return {"$ref": _REF + name, "components": {"schemas": found}}


def references(node: Any) -> Iterator[str]:
    """The names that a schema refers to."""
    if isinstance(node, list):
        for value in cast(Any, node):
            yield from references(value)
    elif isinstance(node, Mapping):
        schema = cast("Mapping[str, Any]", node)
        target = schema.get("$ref")
        if isinstance(target, str):  # a property may have that name, too
            yield target.removeprefix(_REF)
        for value in schema.values():
            yield from references(value)


def strict(node: Any) -> Any:
    """The same schema, refusing properties that it does not name."""
    if isinstance(node, list):
        return [strict(value) for value in cast(Any, node)]
    if not isinstance(node, Mapping):
        return node
    given = cast("Mapping[str, Any]", node)
    schema = {key: strict(value) for key, value in given.items() if key != "properties"}
    if "properties" in given:
        named = cast("Mapping[str, Any]", given["properties"])
        schema["properties"] = {name: strict(value) for name, value in named.items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
    return schema


def write(folder: Path) -> int:
    """Write them all; how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for name, schema in schemas():
        (folder / name).write_text(json.dumps(schema))
        written += 1
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.stdout.write(f"{write(Path(sys.argv[1]))} schemas in {sys.argv[1]}\n")
