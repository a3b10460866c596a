"""A registry with one model of a few megabytes: a real Ollama pulls from it without a network."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOB = random.Random(7).randbytes(6_000_000)
CONFIG = json.dumps({"model_format": "gguf", "model_family": "llama"}).encode()
CHUNK, PAUSE_S = 200_000, 0.05


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


BLOBS = {_digest(BLOB): BLOB, _digest(CONFIG): CONFIG}


def _layer(data: bytes, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(data), "size": len(data)}


MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": _layer(CONFIG, "application/vnd.docker.container.image.v1+json"),
        "layers": [_layer(BLOB, "application/vnd.ollama.image.model")],
    }
).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """The size of a blob."""
        self._answer(200, BLOBS.get(self.path.rsplit("/", 1)[-1]), body=False)

    def do_GET(self) -> None:
        """A manifest, the way to a blob, or a part of it, slowly."""
        last = self.path.rsplit("/", 1)[-1]
        if "/manifests/" in self.path:
            self._answer(200, MANIFEST if "/library/small/" in self.path else None)
        elif self.path.startswith("/v2/"):
            # Ollama fetches from where it is sent to, which must be another host.
            port = self.headers["Host"].rpartition(":")[2]
            self.send_response(307)
            self.send_header("Location", f"http://localhost:{port}/data/{last}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            start, _, end = (
                self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
            )
            blob = BLOBS[last]
            self._answer(206, blob[int(start) : int(end or len(blob)) + 1])

    def _answer(self, status: int, data: bytes | None, *, body: bool = True) -> None:
        self.send_response(status if data is not None else 404)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        for at in range(0, len(data or b"") if body else 0, CHUNK):
            self.wfile.write((data or b"")[at : at + CHUNK])
            time.sleep(PAUSE_S)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def registry() -> Generator[str]:
    """Serve; yields what to write before a model's name."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/library/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
