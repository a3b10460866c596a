"""Patches that a stolen token of the operator could send, and what the guards say to each.

An empty answer: it is what the operator does, and passes.
"""

from __future__ import annotations

from collections.abc import Mapping

from orion_contracts import kubernetes

Cases = Mapping[str, tuple[str, str]]
"""What is changed, to the patch and a part of the refusal."""

CHANGES: Cases = {
    "our label": ('{"metadata":{"labels":{"inference.orion.dev/class":"8gb"}}}', ""),
    "our taint": (
        '{"spec":{"taints":[{"key":"inference.orion.dev/gated","effect":"PreferNoSchedule"}]}}',
        "",
    ),
    "another label": ('{"metadata":{"labels":{"team":"robots"}}}', "labels under"),
    "a label less": ('{"metadata":{"labels":{"kubernetes.io/hostname":null}}}', "labels under"),
    "a label's value": ('{"metadata":{"labels":{"kubernetes.io/hostname":"x"}}}', "labels under"),
    "an annotation": ('{"metadata":{"annotations":{"inference.orion.dev/a":"b"}}}', "annotations"),
    "a finalizer": ('{"metadata":{"finalizers":["kopf.dev/finalizer"]}}', "finalizers"),
    "another taint": (
        '{"spec":{"taints":[{"key":"a","effect":"NoExecute"}]}}',
        "may change the taint",
    ),
    "our taint with another effect": (
        '{"spec":{"taints":[{"key":"inference.orion.dev/gated","effect":"NoExecute"}]}}',
        "PreferNoSchedule only",
    ),
    "another taint of our name": (
        '{"spec":{"taints":[{"key":"inference.orion.dev/x","effect":"PreferNoSchedule"}]}}',
        "PreferNoSchedule only",
    ),
    "a cordon": ('{"spec":{"unschedulable":true}}', "rest of a node"),
}
STATUS: Cases = {
    "our condition": (
        '{"status":{"conditions":[{"type":"InferenceReady","status":"True"}]}}', "",
    ),
    "another condition": (
        '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}', "InferenceReady only",
    ),
    "the capacity": ('{"status":{"capacity":{"memory":"1Ti"}}}', "InferenceReady only"),
    "the kubelet's port": (
        '{"status":{"daemonEndpoints":{"kubeletEndpoint":{"Port":1}}}}', "InferenceReady only",
    ),
    "the kubelet's version": (
        '{"status":{"nodeInfo":{"kubeletVersion":"v0.0.1"}}}', "InferenceReady only",
    ),
    "the images": ('{"status":{"images":[{"names":["a:1"]}]}}', "InferenceReady only"),
    "a volume": (
        '{"status":{"volumesAttached":[{"name":"a","devicePath":"b"}]}}', "InferenceReady only",
    ),
}  # fmt: skip
ONLY_RESTARTS = f"annotation {kubernetes.RESTARTED_ANNOTATION} of"


def in_template(patch: str) -> str:
    """A patch of a Deployment's pods."""
    return f'{{"spec":{{"template":{patch}}}}}'


def in_container(patch: str) -> str:
    """A patch of the operator's container."""
    return in_template(f'{{"spec":{{"containers":[{{"name":"operator",{patch}}}]}}}}')


RESTARTS: Cases = {
    "a restart": (
        in_template(f'{{"metadata":{{"annotations":{{"{kubernetes.RESTARTED_ANNOTATION}":"x"}}}}}}'),
        "",
    ),
    "another annotation": (
        in_template('{"metadata":{"annotations":{"a":"b"}}}'), ONLY_RESTARTS,
    ),
    "an annotation less": (
        in_template('{"metadata":{"annotations":{"kubectl.kubernetes.io/default-container":null}}}'),
        ONLY_RESTARTS,
    ),
    "a label of the pods": (in_template('{"metadata":{"labels":{"a":"b"}}}'), ONLY_RESTARTS),
    "the image": (in_container('"image":"evil:1"'), ONLY_RESTARTS),
    "a variable": (in_container('"env":[{"name":"A","value":"b"}]'), ONLY_RESTARTS),
    "the command": (in_container('"command":["sh"]'), ONLY_RESTARTS),
    "another account": (in_template('{"spec":{"serviceAccountName":"default"}}'), ONLY_RESTARTS),
    "a volume": (in_template('{"spec":{"volumes":[{"name":"a","emptyDir":{}}]}}'), ONLY_RESTARTS),
    "more of them": ('{"spec":{"replicas":3}}', ONLY_RESTARTS),
    "the strategy": ('{"spec":{"minReadySeconds":5}}', ONLY_RESTARTS),
    "a label": ('{"metadata":{"labels":{"a":"b"}}}', ONLY_RESTARTS),
    "an annotation of its own": ('{"metadata":{"annotations":{"a":"b"}}}', ONLY_RESTARTS),
    "a finalizer": ('{"metadata":{"finalizers":["a.example/b"]}}', ONLY_RESTARTS),
}  # fmt: skip
WEBHOOK = (
    '{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1"],'
    '"clientConfig":{"url":"https://evil.example/"}}}'
)
UPGRADES: Cases = {
    "its revision": (
        f'{{"metadata":{{"annotations":{{"{kubernetes.REVISION_ANNOTATION}":"99"}}}}}}', "",
    ),
    "a webhook": (f'{{"spec":{{"conversion":{WEBHOOK}}}}}', "neither names nor conversion"),
    "a name": ('{"spec":{"names":{"shortNames":["po"]}}}', "neither names nor conversion"),
    "a label": ('{"metadata":{"labels":{"a":"b"}}}', "no other metadata"),
    "an annotation": ('{"metadata":{"annotations":{"a":"b"}}}', "no other metadata"),
    "a finalizer": ('{"metadata":{"finalizers":["a.example/b"]}}', "no other metadata"),
    "an owner": (
        '{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Namespace","name":"gone",'
        '"uid":"00000000-0000-0000-0000-000000000000"}]}}', "no other metadata",
    ),
}  # fmt: skip
EVICTIONS: Cases = {
    "a worker": ("orion-inference-worker-8gb-abcde", ""),
    "the store": ("orion-inference-store-0", "workers only"),
    "somebody else's": ("robot-arm-0", "workers only"),
}
"""Whose pod is evicted, to its name and a part of the refusal."""
