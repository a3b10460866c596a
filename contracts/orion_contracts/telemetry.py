"""Logging: one line for each event, whatever it contains."""

from __future__ import annotations

import logging
import sys

LEVELS = ("debug", "info", "warning", "error")
MAX_LINE_CHARS = 2000


class OneLineFormatter(logging.Formatter):
    """`time level logger message`, with control characters escaped and long lines cut."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One printable line; a traceback follows as one escaped line."""
        line = super().format(record)
        if len(line) > MAX_LINE_CHARS:
            line = line[:MAX_LINE_CHARS] + " [cut]"
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def configure_logging(level: str = "info") -> None:
    """Log to stderr at `level`; libraries only from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "uvicorn.access", "uvicorn.error", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
