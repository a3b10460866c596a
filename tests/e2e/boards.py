"""A second live board on the one real node: an agent and an Ollama that say they are another board.

The board's own /sys and /proc are files of a ConfigMap, so that a test decides how hot it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from e2e.kube import Kube, Object, is_ready, until

NAME = "second-board"
GIB = 1024**2  # kB, as /proc/meminfo counts


def _files(temperature_c: float) -> dict[str, str]:
    return {
        "type": "cpu-thermal\n",
        "temp": f"{int(temperature_c * 1000)}\n",
        "meminfo": f"MemTotal: {8 * GIB} kB\nMemAvailable: {6 * GIB} kB\n",
    }


@dataclass
class SecondBoard:
    """`board` is the name of a Node on which nothing runs."""

    kube: Kube
    board: str

    def start(self) -> None:
        """Start it with what a real board's DaemonSet runs, and wait until it serves."""
        template = self._worker()
        pod: Object = template["spec"]
        agent = pod["containers"][0]
        agent["args"] = [a for a in agent["args"] if not a.startswith("--node-id")] + [
            f"--node-id={self.board}", "--node-class=8gb", "--host-root=/board",
        ]  # fmt: skip
        agent["volumeMounts"].append({"name": "board", "mountPath": "/board"})
        zone = "sys/class/thermal/thermal_zone0"
        places = {"type": f"{zone}/type", "temp": f"{zone}/temp", "meminfo": "proc/meminfo"}
        items = [{"key": key, "path": path} for key, path in places.items()]
        pod["volumes"].append({"name": "board", "configMap": {"name": NAME, "items": items}})
        pod["affinity"] = {}
        for each in [*pod["containers"], *pod["initContainers"]]:
            each["resources"] = {}  # the one real node has room for one board's requests
        labels = {**template["metadata"]["labels"], "test": NAME}
        labels.pop("inference.orion.dev/class", None)
        pod["nodeSelector"] = {"kubernetes.io/arch": "amd64"}
        self.heat(60.0)
        self.kube.apply({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"test": NAME}},
                     "strategy": {"type": "Recreate"},
                     "template": {"metadata": {"labels": labels}, "spec": pod}},
        })  # fmt: skip
        until(lambda: any(map(is_ready, self.pods())), 120, f"{NAME} serves")

    def heat(self, temperature_c: float) -> None:
        """Its temperature; the kubelet takes up to a minute to show a change to the pod."""
        self.kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME},
                         "data": _files(temperature_c)})  # fmt: skip

    def pods(self) -> list[Object]:
        """Its pod."""
        found = self.kube.items("pods", "-l", f"test={NAME}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def stop(self) -> None:
        """Take it away."""
        self.kube.kubectl("delete", "deployment,configmap", NAME, "--ignore-not-found")

    def _worker(self) -> Object:
        sets = self.kube.items("daemonsets", "-l", "app.kubernetes.io/component=worker")
        one = next(
            s for s in sets if s["metadata"]["labels"]["inference.orion.dev/class"] == "16gb"
        )
        found: Object = json.loads(json.dumps(one["spec"]["template"]))
        return found
