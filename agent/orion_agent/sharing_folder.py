"""Ollama's folder of models, read only: manifests by name, files by digest."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from orion_agent.keeper_names import DEFAULT_NAMESPACE, DEFAULT_REGISTRY, parts_of

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
MOST_MANIFEST_BYTES = 1024 * 1024


class Missing(Exception):
    """There is no such model or file; the text says which."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A model's list of files."""

    raw: bytes
    sizes: dict[str, int]

    @property
    def digest(self) -> str:
        """As `/api/tags` shows it."""
        return hashlib.sha256(self.raw).hexdigest()


def read_manifest(raw: bytes) -> Manifest:
    """Parse one. Raises Missing where it is none."""
    try:
        document = cast(dict[str, Any], orjson.loads(raw))
        files = [document["config"], *document["layers"]]
        sizes = {str(each["digest"]): int(each["size"]) for each in files}
    except (ValueError, TypeError, KeyError) as error:
        raise Missing(f"this is no manifest: {error}") from error
    if not all(map(DIGEST.fullmatch, sizes)):
        raise Missing("the manifest names a file by something that is no digest")
    return Manifest(raw, sizes)


class Folder:
    """Blocks: call it in a thread."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def readable(self) -> bool:
        """Whether models lie there."""
        return (self._root / "manifests").is_dir() and (self._root / "blobs").is_dir()

    def manifest(self, name: str) -> Manifest:
        """Of a model on disk. Raises Missing."""
        parts, tag = parts_of(name)
        host, space = DEFAULT_REGISTRY, DEFAULT_NAMESPACE
        if len(parts) == 3:
            host, space = parts[:2]
        elif len(parts) == 2:
            space = parts[0]
        path = self._root / "manifests" / host / space / parts[-1] / tag
        if any(part in ("", ".", "..") for part in (*parts, tag)) or len(parts) > 3:
            raise Missing(f"{name} is no name of a model")
        try:
            with path.open("rb") as file:
                raw = file.read(MOST_MANIFEST_BYTES + 1)
        except OSError as error:
            raise Missing(f"{name} is not on disk: {error.strerror}") from error
        if len(raw) > MOST_MANIFEST_BYTES:
            raise Missing(f"the manifest of {name} is too large to be one")
        return read_manifest(raw)

    def blob(self, digest: str) -> tuple[Path, int]:
        """A file and its size. Raises Missing."""
        if DIGEST.fullmatch(digest) is None:
            raise Missing("this is no digest")
        path = self._root / "blobs" / digest.replace(":", "-")
        try:
            return path, path.stat().st_size
        except OSError as error:
            raise Missing(f"{digest} is not on disk: {error.strerror}") from error


def span_of(header: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last of a Range header; None where it makes no sense."""
    if not header:
        return 0, size
    match = re.fullmatch(r"bytes=(\d{1,18})-(\d{0,18})", header)
    if match is None:
        return None
    first = int(match[1])
    end = min(int(match[2]) + 1, size) if match[2] else size
    return (first, end) if first < end else None
