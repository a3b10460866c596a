"""`orion doctor`: examine, judge, say the remedy."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.text import Text

from orion_cli import checks, cluster, cluster_checks, examine, slowness
from orion_cli.calling import as_called
from orion_cli.checks import Finding, Level
from orion_cli.problem import FAILED
from orion_cli.state import StoreAddress, runs
from orion_cli.terminal import console, printable

MARKS: Mapping[Level, tuple[str, str]] = {
    "ok": ("ok  ", "green"),
    "warn": ("warn", "yellow"),
    "fail": ("FAIL", "bold red"),
}
LOCAL_OLLAMA = "http://127.0.0.1:11434"
IN_A_POD: Mapping[str, str] = {
    "store": "see its pod (kubectl get pods -l app.kubernetes.io/component=store), the Secret with "
    "the passwords, and externalRedis in the chart's values",
    "router": "see its pod: kubectl describe pods -l app.kubernetes.io/component=router",
}
"""Remedies where the usual ones speak of flags and `orion up`."""


def run(where: StoreAddress, url: str, ollama_hosts: Sequence[str], as_json: bool) -> int:
    """Print the findings; 1 if one of them is a failure."""
    findings = [*gather(where, url, ollama_hosts)]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        _print(findings)
    return FAILED if any(finding.level == "fail" for finding in findings) else 0


def gather(where: StoreAddress, url: str, ollama_hosts: Sequence[str]) -> list[Finding]:
    """All findings, the store's first: most else depends on it. In a pod of Kubernetes there is
    no Ollama and no disk of ours beside it: the boards' reports speak for them, and the operator's
    pod may ask the API server for the rest."""
    findings = [*checks.check_store(examine.store(where)), checks.check_router(examine.router(url))]
    findings += slowness.check_rates(slowness.boards(url))
    inside = "KUBERNETES_SERVICE_HOST" in os.environ
    if inside:
        findings = [_in_a_pod(finding) for finding in findings]
        if (told := cluster.look()) is not None:
            findings += cluster_checks.check_cluster(told)
    running = next((run for run in runs() if run.url == url), None)
    local = () if inside else (LOCAL_OLLAMA,)
    hosts = ollama_hosts or (running.ollama_hosts if running else local)
    for host in hosts:
        machine = platform.machine() if "127.0.0.1" in host else ""
        findings += checks.check_ollama(examine.ollama(_http(host), machine))
    if inside:
        return findings
    place = running.data if running else str(Path.cwd())
    return [*findings, checks.check_disk(place, shutil.disk_usage(place).free)]


def _in_a_pod(finding: Finding) -> Finding:
    if finding.subject in IN_A_POD and ("orion up" in finding.remedy or "--" in finding.remedy):
        return replace(finding, remedy=IN_A_POD[finding.subject])
    return finding


def _http(host: str) -> str:
    return (host if "://" in host else f"http://{host}").rstrip("/")


def _print(findings: Sequence[Finding]) -> None:
    out = console()
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        mark, style = MARKS[finding.level]
        line = Text(mark, style=style).append(
            f"  {finding.subject:<{width}}  {printable(finding.text)}", style="default not bold"
        )
        out.print(line, soft_wrap=True)
        if finding.remedy and finding.level != "ok":
            out.print(
                Text(f"{'':{width + 8}}→ {as_called(finding.remedy)}", style="dim"), soft_wrap=True
            )
    counts = Counter(finding.level for finding in findings)
    out.print()
    out.print(f"{counts['ok']} ok, {counts['warn']} warnings, {counts['fail']} failures")
