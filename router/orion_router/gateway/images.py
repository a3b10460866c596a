"""Images in requests: base64, checked piece by piece (pure).

A whole image at once would hold up everything else in the process for as long as it takes, also
from a thread.
"""

from __future__ import annotations

from string import ascii_letters, digits
from typing import Final, cast

from orion_contracts.errors import InvalidRequest
from orion_router.gateway.ask import wrong_type

PIECE_CHARS: Final = 256 * 1024
_ALPHABET: Final = (ascii_letters + digits + "+/").encode()


def read_images(value: object) -> list[str]:
    """The images of a message. Raises InvalidRequest."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong_type("images", value, "[]api.ImageData")
    for each in cast(list[object], value):
        if not isinstance(each, str):
            raise wrong_type("images", each, "api.ImageData")
        if not is_base64(each):
            raise InvalidRequest("illegal base64 data in images", "images")
    return cast(list[str], value)


def is_base64(text: str, piece_chars: int = PIECE_CHARS) -> bool:
    """Whether it is base64 to the letter but for line ends, which Ollama passes over, too."""
    size = padding = 0
    for begin in range(0, len(text), piece_chars):
        piece = text[begin : begin + piece_chars]
        if not piece.isascii():
            return False
        data = piece.encode().translate(None, b"\r\n")
        letters = data.rstrip(b"=")
        if (padding and letters) or letters.translate(None, _ALPHABET):
            return False
        size += len(data)
        padding += len(data) - len(letters)
    return size % 4 == 0 and padding <= 2
