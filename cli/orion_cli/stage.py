"""What a person sees of `orion up`: progress, the way in, and the fleet until it ends."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from typing import Any, cast

import httpx
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from orion_cli.boards import Choice
from orion_cli.calling import as_called
from orion_cli.rows import Row, occupied
from orion_cli.state import Run
from orion_cli.terminal import console, printable
from orion_cli.view import LISTED, rows, screen, table

REFRESH_S = 1.0
FOOT = "Ctrl-C stops everything; accepted requests are kept"


class Stage:
    """One console. `live`: redraw the table where the output is a terminal."""

    def __init__(self, live: bool) -> None:
        self._console = console()
        self._wants_live = live and sys.stdout.isatty()
        self._live: Live | None = None
        self._warnings: list[str] = []

    def say(self, text: str) -> None:
        """Progress."""
        self._print(Text(f"· {text}", style="dim"))

    def problem(self, text: str) -> None:
        """Something to see to."""
        self._print(Text(f"! {text}", style="yellow"))

    def loud(self, text: str) -> None:
        """Something that must not be overlooked: shown now and again with the table."""
        self._warnings.append(text)
        self._print(Panel(Text(text), title="attention", border_style="bold red"))

    def _print(self, what: Text | Panel) -> None:
        if isinstance(what, Text):
            what = Text(printable(what.plain), style=what.style)
        self._console.print(what, soft_wrap=isinstance(what, Text))

    async def wait_for_boards(self, http: httpx.AsyncClient, run: Run, within_s: float) -> None:
        """Until every board with an agent may take work or says why not, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while True:
                    document = await _get(http, "/v1/nodes")
                    nodes: list[Mapping[str, Any]] = document.get("nodes", [])
                    known = [n for n in nodes if n.get("state") == "fresh" and _settled(n, run)]
                    if len(known) >= len(run.ollama_hosts):
                        return
                    await asyncio.sleep(0.1)

    async def welcome(
        self, http: httpx.AsyncClient, run: Run, choice: Choice, took_s: float
    ) -> None:
        """The address, how to point a client there, and the boards."""
        models = [str(m["name"]) for m in (await _get(http, "/api/tags")).get("models", [])]
        self._console.print()
        headline = Text("ORION is ready ", style="bold green")
        headline.append(f"after {took_s:.1f} s at ", style="default not bold")
        headline.append(run.url, style="bold")
        self._console.print(headline)
        for note in (*choice.notes, *([] if models else [NO_MODELS])):
            self.problem(note)
        self._console.print()
        for label, line in ways_in(run, models[0] if models else "MODEL"):
            shown = Text(f"  {label:<8}", style="dim").append(line, style="not dim")
            self._console.print(shown, soft_wrap=True)
        self._console.print(table(await self._boards(http, run)))

    async def watch(self, http: httpx.AsyncClient, run: Run) -> None:
        """Show the fleet until cancelled."""
        if self._wants_live:
            await self._watch_live(http, run)
        else:
            self.say(FOOT)
            await self._watch_lines(http, run)

    def close(self) -> None:
        """Leave the last table on the terminal."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    async def _boards(self, http: httpx.AsyncClient, run: Run) -> list[Row]:
        return rows((await _get(http, "/v1/nodes")).get("nodes", []), run.excluded)

    async def _watch_live(self, http: httpx.AsyncClient, run: Run) -> None:
        foot = " · ".join([run.url, *self._warnings, FOOT])
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self._live.start()
        while True:
            nodes = (await _get(http, "/v1/nodes")).get("nodes", [])
            listed = (await _get(http, f"/v1/requests?limit={LISTED}")).get("requests", [])
            boards = rows(occupied(nodes, listed), run.excluded)
            self._live.update(screen(boards, listed, foot), refresh=True)
            await asyncio.sleep(REFRESH_S)

    async def _watch_lines(self, http: httpx.AsyncClient, run: Run) -> None:
        before: dict[str, str] = {}
        while True:
            for row in await self._boards(http, run):
                now = _condition(row)
                if now != before.setdefault(row.name, now):
                    before[row.name] = now
                    (self.say if row.mood == "good" else self.problem)(f"{row.name}: {now}")
            await asyncio.sleep(REFRESH_S)


def _settled(node: Mapping[str, Any], run: Run) -> bool:
    """An Ollama of somebody else's may be away for long; a simulated one is only starting."""
    reasons: list[str] = node.get("reasons", [])
    return not reasons or ("unreachable" in reasons and not run.excluded)


def _condition(row: Row) -> str:
    """What is worth a line: not each request."""
    state = "takes work" if row.mood == "good" else row.state
    return f"{state} ({as_called(row.remark)})" if row.remark and row.mood != "good" else state


def ways_in(run: Run, model: str) -> list[tuple[str, str]]:
    """How to point each kind of client here."""
    body = '{"model": "%s", "messages": [{"role": "user", "content": "Hello"}]}' % model  # noqa: UP031
    return [
        ("chat", as_called('orion chat "What is the capital of France?"')),
        ("curl", f"curl {run.url}/api/chat -d '{body}'"),
        ("Ollama", f"export OLLAMA_HOST={run.url}"),
        ("OpenAI", f'OpenAI(base_url="{run.url}/v1", api_key="unused")'),
        ("streams", f"redis://{run.redis_addr}, password in {run.data}/password"),
        ("logs", f"{run.data}/logs"),
    ]


NO_MODELS = "No board has a model yet: on a board, run for example `ollama pull smollm2:135m`."


async def _get(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """What the gateway says, or nothing while it is away."""
    try:
        answer = await http.get(path)
        return cast(dict[str, Any], answer.json()) if answer.is_success else {}
    except (httpx.HTTPError, ValueError):
        return {}
