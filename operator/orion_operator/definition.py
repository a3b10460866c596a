"""Keeps the CRD in the cluster at least as new as this operator: forward only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Literal

from orion_contracts import kubernetes as names
from orion_operator.api import ApiError
from orion_operator.cluster import Cluster
from orion_operator.crd import REVISION, definition
from orion_operator.loose import mapping

log = logging.getLogger(__name__)

AGAIN_S = 5.0
Verdict = Literal["same", "older", "newer", "missing"]


def compare(present: Mapping[str, Any] | None) -> Verdict:
    """What the cluster's CRD is beside ours. One without a revision is older (pure)."""
    if present is None:
        return "missing"
    marks = mapping(mapping(present.get("metadata")).get("annotations"))
    revision = str(marks.get(names.REVISION_ANNOTATION, ""))
    found = int(revision) if revision.isdigit() else 0
    return "same" if found == REVISION else "older" if found < REVISION else "newer"


async def ensure(cluster: Cluster) -> str:
    """Apply ours over an older one; what is wrong with it afterwards, or the empty string."""
    verdict = compare(await cluster.definition())
    if verdict == "newer":
        log.info("the CRD in the cluster is newer than this operator and stays")
        return ""
    if verdict == "same":
        return ""
    try:
        await cluster.apply_definition(definition())
    except ApiError as error:
        if error.status not in (401, 403):
            raise
        remedy = f"the CRD is {verdict} and this operator may not change it ({error}); run: "
        return f"{remedy}orion-inference-operator crd | kubectl apply --server-side -f -"
    log.info("the CRD was %s; revision %d applied", verdict, REVISION)
    return ""


async def ensured(cluster: Cluster) -> str:
    """Wait until the API server knows our kind; says what it waits for, each time once."""
    said = ""
    while True:
        try:
            problem = await ensure(cluster)
            if await cluster.is_served():
                if problem:
                    log.error("%s", problem)
                return problem
            problem = problem or "the API server does not serve our CRD yet"
        except ApiError as error:
            problem = str(error)
        if problem != said:
            log.error("waiting: %s", problem)
        said = problem
        await asyncio.sleep(AGAIN_S)
