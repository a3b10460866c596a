"""What the tests without a cluster and those on one both expect."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

GOLDEN: dict[str, dict[str, list[dict[str, Any]]]] = yaml.safe_load(
    Path(__file__).with_name("golden_rbac.yaml").read_text()
)
"""Account to where to rules."""

MISSPELT: Mapping[str, Any] = {
    "routr": {"routr": {"replicas": 1}},
    "replica": {"router": {"replica": 2}},
    "/router/replicas": {"router": {"replicas": "two"}},
    "pasword": {"store": {"auth": {"pasword": "x"}}},
    "/store/appendfsync": {"store": {"appendfsync": "sometimes"}},
    "/store/maxMemory": {"store": {"maxMemory": "256 MB"}},
    "/ollama/mode": {"ollama": {"mode": "sidecart"}},
    "/ollama/storage/path": {"ollama": {"storage": {"path": "models"}}},
    "slot": {"nodeClasses": {"16gb": {"slot": 2}}},
    "/nodeClasses/8gb/slots": {"nodeClasses": {"8gb": {"slots": 17}}},
    "/nodeClasses/8gb/ollama/memory": {"nodeClasses": {"8gb": {"ollama": {"memory": "5 GB"}}}},
    "/image/digest": {"image": {"digest": "sha256:short"}},
    "/image/tag": {"image": {"tag": "latest"}},
    "/networkPolicy/enabled": {"networkPolicy": {"enabled": "yes"}},
    "/store/allowedClients/cidrs/0": {"store": {"allowedClients": {"cidrs": ["my-laptop"]}}},
    "/worker/resources/limits/cpu": {"worker": {"resources": {"limits": {"cpu": 1.5}}}},
    "/externalRedis/address": {"externalRedis": {"address": "redis://me:secret@host:6379"}},
    "at '/ollama/env': ": {"ollama": {"env": {"ollama_debug": "1"}}},
    "at '/ollama/env/OLLAMA_DEBUG': ": {"ollama": {"env": {"OLLAMA_DEBUG": 1}}},
    "at '/nodeClasses/8gb/ollama/env': ": {
        "nodeClasses": {"8gb": {"ollama": {"env": {"ollama_debug": "1"}}}}
    },
    "at '/nodeClasses': ": {"nodeClasses": {"BIG": {"roles": ["worker"], "slots": 1}}},
    "storageClass": {"store": {"persistence": {"storageClass": "fast"}}},
    "/monitoring/serviceMonitor/interval": {"monitoring": {"serviceMonitor": {"interval": 30}}},
}
"""Where the message must point, and the values."""
