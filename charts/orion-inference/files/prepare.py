"""Gives a board's folder of models to the user that Ollama runs as.

Runs as root with the capability CHOWN and no other; changes owners only, where they differ.
"""

from __future__ import annotations

import os
import sys


def prepare(folder: str, user: int, group: int) -> int:
    """Make all of `folder` the user's; the number of entries that were not. Follows no links."""
    changed = _give(folder, user, group)
    for place, folders, files in os.walk(folder, onerror=_fail):
        for name in (*folders, *files):
            changed += _give(os.path.join(place, name), user, group)
    return changed


def _give(path: str, user: int, group: int) -> int:
    status = os.lstat(path)
    if (status.st_uid, status.st_gid) == (user, group):
        return 0
    os.lchown(path, user, group)
    return 1


def _fail(error: OSError) -> None:
    raise error


def main(arguments: list[str]) -> int:
    """The program: FOLDER USER GROUP."""
    folder, user, group = arguments
    try:
        changed = prepare(folder, int(user), int(group))
    except OSError as error:
        sys.stderr.write(
            f"prepare: {error}. Root here may change owners and nothing else; on the board: "
            f"chown -R {user}:{group} the folder of ollama.storage.path\n"
        )
        return 1
    sys.stderr.write(f"prepare: {changed} owners changed to {user}:{group}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
