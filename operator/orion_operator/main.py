"""`orion-inference-operator`: run (default) | cleanup | crd | acl. Imports little, so that `crd`
and `acl` are quick."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import PackageNotFoundError, version

COMMANDS = ("run", "cleanup", "crd", "acl")


def package_version() -> str:
    """The version of the installed distribution."""
    try:
        return version("orion-inference")
    except PackageNotFoundError:  # run from a bare copy of the files
        return "0.1.0"


def main(argv: list[str] | None = None) -> int:
    """The subcommand that was asked for; returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    command, rest = (words[0], words[1:]) if words[:1] and words[0] in COMMANDS else ("run", words)
    if command == "crd":
        from orion_operator.crd import as_yaml

        sys.stdout.write(as_yaml())
        return 0
    if command == "acl":
        from orion_operator.acl_command import write_acl

        return write_acl(rest)
    return _with_settings(command, rest)


def _with_settings(command: str, rest: list[str]) -> int:
    from orion_contracts.telemetry import configure_logging
    from orion_operator.settings import read_cleanup_settings, read_settings

    settings = read_cleanup_settings(rest) if command == "cleanup" else read_settings(rest)
    configure_logging(settings.log_level)
    log = logging.getLogger("orion.operator")
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLogger().level))
    if command == "cleanup":
        from orion_operator.cleanup import clean_up

        return clean_up(settings)
    log.info("ORION Inference Operator v%s starting (namespace: %s)", package_version(),
             settings.namespace)  # fmt: skip
    from orion_operator.serve import serve

    return serve(settings, package_version())


if __name__ == "__main__":
    raise SystemExit(main())
