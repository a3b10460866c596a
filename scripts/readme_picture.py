"""Takes the README's picture: runs a real `orion up` and `orion chat`, and draws what they print.

python scripts/readme_picture.py docs/images/up.svg [flags of orion up]
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 130
READY_WITHIN_S = 60.0
QUESTION = "What is the capital of France?"
ORION = [sys.executable, "-m", "orion_cli.main"]


def environment(state: str) -> dict[str, str]:
    """Colours as in a terminal, and a state folder that is thrown away."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ORION_") and k != "NO_COLOR"}
    colours = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    return {**kept, **colours, "COLUMNS": str(COLUMNS), "ORION_STATE": state}


def wait_for_table(log: Path, up: subprocess.Popen[bytes]) -> str:
    """What `orion up` printed once it shows the boards."""
    deadline = time.monotonic() + READY_WITHIN_S
    while "Ctrl-C stops" not in (said := log.read_text()):
        if up.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"`orion up` did not become ready:\n{said}")
        time.sleep(0.1)
    return said


def run(*arguments: str, env: dict[str, str]) -> str:
    """What another command prints, both streams in their order."""
    said = subprocess.run(
        [*ORION, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
    )
    return said.stdout.decode()


def main() -> None:
    """Write the picture."""
    target = Path(sys.argv[1])
    flags = sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix="orion-") as folder:
        env = environment(folder)
        log = Path(folder) / "up.log"
        with log.open("wb") as out:
            up = subprocess.Popen([*ORION, "up", "--no-live", *flags], env=env, stdout=out,
                                  stderr=out, stdin=subprocess.DEVNULL)  # fmt: skip
        try:
            shown = wait_for_table(log, up)
            answer = run("chat", QUESTION, env=env)
        finally:
            up.send_signal(signal.SIGINT)
            up.wait()
    shown = shown.replace(folder, "~/.local/state/orion")
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    for command, said in (
        (" ".join(["orion up", *flags]), shown),
        (f'orion chat "{QUESTION}"', answer),
    ):
        console.print(Text(f"$ {command}", style="bold"))
        console.print(Text.from_ansi(said.rstrip() + "\n"))
    target.parent.mkdir(parents=True, exist_ok=True)
    console.save_svg(str(target), title="orion up", clear=True)
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main()
