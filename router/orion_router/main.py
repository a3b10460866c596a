"""`orion-inference-router`: one address for a fleet of Ollama boards."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from orion_router.settings import Settings


def package_version() -> str:
    """The version of the installed distribution."""
    try:
        return version("orion-inference")
    except PackageNotFoundError:  # run from a bare copy of the files
        return "0.1.0"


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit status."""
    settings = Settings.read(argv)
    from orion_router.serve import serve  # late: `--help` needs none of it

    return serve(settings, package_version())


if __name__ == "__main__":
    raise SystemExit(main())
