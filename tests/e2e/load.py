"""A producer in a pod, asking while things are broken, and the verdict over its history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from e2e.kube import Kube, until
from e2e.world import World
from orion_lab.history import Asked, Entry, History, Verdict, judge

SCRIPT = Path(__file__).with_name("load_script.py")


class Load:
    """One Job; `finish` waits for it and judges what it saw."""

    def __init__(
        self, kube: Kube, name: str, image: str, model: str, *, span_s: int, per_s: float,
        tokens: int, store: str, secret: str, placement: dict[str, Any],
    ) -> None:  # fmt: skip
        self.kube, self.name, self.span_s = kube, name, span_s
        arguments = [store, model, str(span_s), str(per_s), str(tokens)]
        mounts = [
            {"name": "script", "mountPath": "/etc/load"},
            {"name": "password", "mountPath": "/etc/orion/store"},
        ]
        container = {
            "name": "load", "image": image, "imagePullPolicy": "IfNotPresent",
            "command": ["python", "/etc/load/load_script.py", *arguments],
            "volumeMounts": mounts,
            "securityContext": {
                "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
            },
        }  # fmt: skip
        keys = [{"key": "producer-password", "path": "producer-password"}]
        pod = {
            "restartPolicy": "Never", "containers": [container], **placement,
            "securityContext": {
                "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": [
                {"name": "script", "configMap": {"name": name}},
                {"name": "password", "secret": {"secretName": secret, "items": keys}},
            ],
        }  # fmt: skip
        labels = {"app.kubernetes.io/component": "load", "inference.orion.dev/store-client": "true"}
        template = {"metadata": {"labels": labels}, "spec": pod}
        kube.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
             "data": {"load_script.py": SCRIPT.read_text()}},
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
             "spec": {"backoffLimit": 0, "template": template}},
        )  # fmt: skip

    def _log(self) -> str:
        return self.kube.kubectl("logs", f"job/{self.name}")

    def begun(self, requests: int = 3) -> None:
        """Wait until it has asked a few times."""
        until(lambda: f"asked {requests}," in self._log(), 60, f"{self.name} asks")

    def finish(self) -> Verdict:
        """The verdict, when the Job has told its history."""
        until(lambda: "HISTORY " in self._log(), self.span_s + 320, f"{self.name} ends", 2.0)
        told = json.loads(self._log().rpartition("HISTORY ")[2])
        asked = [Asked(i, reply, ok, channel="e2e") for i, reply, ok in told["asked"]]
        entries = [Entry(*each) for each in told["entries"]]
        return judge(History(asked, live=entries, end=entries))


def asking(kube: Kube, world: World, name: str, span_s: int) -> Load:
    """A producer in the cluster, which has begun."""
    load = Load(
        kube, name, world.image, world.model, span_s=span_s, per_s=0.6, tokens=8,
        store="orion-inference-store", secret="orion-inference-store",
        placement={"nodeSelector": {"kubernetes.io/hostname": world.node}},
    )  # fmt: skip
    load.begun()
    return load
