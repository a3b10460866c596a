"""`orion-inference-operator acl`: the store's users from files with their passwords."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from orion_contracts.errors import Misconfigured
from orion_contracts.kubernetes import OPERATOR

SUFFIX = "-password"


def write_acl(argv: list[str]) -> int:
    """Write the ACL file, readable by its owner's group alone; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=f"{OPERATOR} acl",
        description="Renders the store's ACL file from files named ROLE-password.",
    )
    parser.add_argument("--passwords-dir", type=Path, required=True, help="folder of the files")
    parser.add_argument("--out", type=Path, required=True, help="file to write; - for the screen")
    options = parser.parse_args(argv)

    from orion_contracts.acl import acl_file

    try:
        text = acl_file(read_passwords(options.passwords_dir))
        if str(options.out) == "-":
            sys.stdout.write(text)
        else:
            _replace(options.out, text)
    except (Misconfigured, OSError) as error:
        sys.stderr.write(f"{OPERATOR} acl: {error}\n")
        return 1
    return 0


def read_passwords(folder: Path) -> dict[str, str]:
    """Role to password. Raises Misconfigured for an empty one, OSError where none can be read."""
    found: dict[str, str] = {}
    for file in sorted(folder.iterdir()):
        if file.name.endswith(SUFFIX):
            found[file.name.removesuffix(SUFFIX)] = file.read_text().strip()
    if empty := [role for role, password in found.items() if not password]:
        raise Misconfigured(f"{folder}: no password for {', '.join(empty)}")
    return found


def _replace(path: Path, text: str) -> None:
    """At once or not at all: the store may read it at any time."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w") as file:
        file.write(text)
    beside.replace(path)
