"""Who may have a model: a shared secret, proven over a nonce; no clock takes part (pure)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable

CHALLENGE, PROOF = "x-orion-challenge", "x-orion-proof"
"""Headers: what the serving board asks, and what the other one answers (nonce:hmac)."""
LIVES_S, MOST = 3600.0, 256
MIN_SECRET_CHARS = 16
_PURPOSE = b"orion model sharing, version 1"


def derive(secret: str) -> bytes:
    """The key; empty where the secret could be guessed from what goes over the wire."""
    if len(secret) < MIN_SECRET_CHARS:
        return b""
    return hmac.digest(secret.encode(), _PURPOSE, hashlib.sha256)


def prove(key: bytes, nonce: str, method: str, path: str, span: str = "") -> str:
    """The value of PROOF. `span`: the Range header, as it is sent."""
    said = "\n".join((nonce, method, path, span)).encode()
    return f"{nonce}:{hmac.new(key, said, hashlib.sha256).hexdigest()}"


class Door:
    """Gives nonces out and checks proofs."""

    def __init__(self, key: bytes, clock: Callable[[], float]) -> None:
        self._key, self._clock = key, clock
        self._nonces: OrderedDict[str, float] = OrderedDict()

    def challenge(self) -> str:
        """A new nonce; the oldest are forgotten."""
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = self._clock() + LIVES_S
        while len(self._nonces) > MOST:
            self._nonces.popitem(last=False)
        return nonce

    def admits(self, proof: str, method: str, path: str, span: str = "") -> bool:
        """Whether this was said by somebody who knows the secret, and to us."""
        nonce = proof.partition(":")[0]
        if self._clock() > self._nonces.get(nonce, float("-inf")):
            return False
        wanted = prove(self._key, nonce, method, path, span)
        return hmac.compare_digest(proof.encode(), wanted.encode())
