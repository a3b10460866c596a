"""`orion-inference-operator`: run | cleanup | crd | acl."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version


def package_version() -> str:
    """The version of the installed distribution."""
    try:
        return version("orion-inference")
    except PackageNotFoundError:  # run from a bare copy of the files
        return "0.1.0"


def main(argv: list[str] | None = None) -> int:
    """The subcommand that was asked for; returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["crd"]:
        from orion_operator.crd import as_yaml

        sys.stdout.write(as_yaml())
        return 0
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
