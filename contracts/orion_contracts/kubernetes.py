"""Names that our processes, the chart and the cluster share, spelled once."""

GROUP = "inference.orion.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "InferenceCluster"
PLURAL = "inferenceclusters"
SINGULAR = "inferencecluster"
SHORT_NAME = "icl"
CRD_NAME = f"{PLURAL}.{GROUP}"

DEFAULT_RESOURCE = "default"
"""The InferenceCluster that the operator makes where a namespace has none."""

PREFIX = f"{GROUP}/"
"""Of every label, taint and annotation that is ours: nothing else on a Node is ever touched."""
CLASS_LABEL = PREFIX + "class"
OWNER_LABEL = PREFIX + "owner"
"""The namespace that a board belongs to: two installations never share one."""
EXCLUDED = "excluded"
"""The class of boards that get nothing of ours."""
TAINT = PREFIX + "gated"
"""Taint (PreferNoSchedule) of a board whose health gate is closed; only with `feedback.taints`."""
REVISION_ANNOTATION = PREFIX + "crd-revision"
CREATED_LABEL = "app.kubernetes.io/managed-by"
OPERATOR = "orion-inference-operator"
"""Field manager, lease, value of CREATED_LABEL, source of Events."""
RESTARTED_ANNOTATION = PREFIX + "restarted-at"

ROLES = ("router", "worker")
OLLAMA_CONTAINER = "ollama"

OPERATOR_HTTP_PORT = 8082
OPERATOR_METRICS_PORT = 9092
