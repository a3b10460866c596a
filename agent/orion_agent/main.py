"""The executable `orion-inference-worker`. Imports little, so that `--help` is quick."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import PackageNotFoundError, version

from orion_agent.settings import read_settings

FALLBACK_VERSION = "0.1.0"
logger = logging.getLogger("orion.worker")


def package_version() -> str:
    """The version of the installed package."""
    try:
        return version("orion-inference")
    except PackageNotFoundError:
        return FALLBACK_VERSION


def main(argv: list[str] | None = None) -> None:
    """Run until stopped; the exit code says how it ended."""
    settings = read_settings(argv)

    from orion_contracts.telemetry import configure_logging

    configure_logging(settings.log_level)
    logger.info("ORION Inference Worker v%s starting (node: %s)", package_version(),
                settings.node_id)  # fmt: skip

    from orion_agent import lean

    lean.lighten()
    from orion_agent.service import serve

    sys.exit(serve(settings, package_version()))


if __name__ == "__main__":
    main()
