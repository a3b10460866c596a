"""`/` for a browser: the boards at a glance (pure)."""

from __future__ import annotations

from html import escape

from orion_router.fleet import Fleet

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:48rem;padding:0 1rem}"
    "td,th{text-align:left;padding:.2rem 1rem .2rem 0}"
)


def page(fleet: Fleet, version: str) -> str:
    """A small HTML document."""
    rows = "".join(
        f"<tr><td>{escape(node.name)}</td><td>{escape(node.state)}</td>"
        f"<td>{'ready' if node.eligible else escape(', '.join(node.reasons))}</td>"
        f"<td>{escape(', '.join(sorted(node.resident)))}</td><td>{len(node.inflight)}</td></tr>"
        for _, node in sorted(fleet.nodes.items())
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>ORION inference</title>'
        f"<style>{_STYLE}</style><h1>ORION inference</h1>"
        f"<p>Router v{escape(version)} is running. Point an Ollama or OpenAI client here.</p>"
        "<table><tr><th>board</th><th>state</th><th>work</th><th>loaded</th><th>requests</th></tr>"
        f"{rows}</table>"
    )
