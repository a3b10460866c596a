"""Every Redis key, stream and group name, spelled once. Braces in the docs mark placeholders."""

PREFIX = "orion:inference:"

REQUESTS = PREFIX + "requests"
"""Intake stream of other producers; never trimmed."""
ROUTER_GROUP = "router"
WORKERS_GROUP = "workers"
NODES = PREFIX + "nodes"
INCARNATIONS = PREFIX + "incarnations"
"""Hash: the name of each board that ever was one to the last life of its worker."""
QUEUE = PREFIX + "queue"
DUE = PREFIX + "due"
EVENTS = PREFIX + "events"
"""Doorbell for planners."""
PLANNER = PREFIX + "planner"
PLANNER_BEAT = PREFIX + "planner:beat"
"""Pub/sub channel: the planner's sign of life. Not a key, so it costs the disk nothing."""
CLOCK = PREFIX + "clock"
BYTES = PREFIX + "bytes"
CONFIG = PREFIX + "config"
CONFIG_APPLIED = PREFIX + "config:applied"
DEAD = PREFIX + "dead"
LEARNED_KEY = PREFIX + "learned:key"
"""16 random bytes: what hashes of prompts are keyed with in this installation."""
RESPONSES = PREFIX + "responses:"


def node_requests(node: str) -> str:
    """A board's own stream: doorbells of the planner and whole requests of other producers."""
    return f"{REQUESTS}:{node}"


def node_health(node: str) -> str:
    """Health hash, refreshed every 5 s, TTL 15 s."""
    return f"{PREFIX}node:{node}"


def alive(node: str) -> str:
    """Liveness; the value is the worker's incarnation."""
    return f"{PREFIX}alive:{node}"


def drain(node: str) -> str:
    """Drain mark: while it exists the board gets no new work."""
    return f"{PREFIX}drain:{node}"


def inflight(node: str) -> str:
    """Set of the request ids that a board holds (assigned or running)."""
    return f"{PREFIX}inflight:{node}"


def kept(node: str) -> str:
    """Hash of the models that a board's keeper has in its care, and what it fetched itself."""
    return f"{PREFIX}kept:{node}"


def lost(node: str) -> str:
    """Set of what a board was running when it fell silent; it may come back, or have died."""
    return f"{PREFIX}lost:{node}"


def record(request_id: str) -> str:
    """A request's record: the truth about it."""
    return f"{PREFIX}req:{request_id}"


def responses(request_id: str) -> str:
    """Default callback, and where every final can be read for an hour."""
    return f"{RESPONSES}{request_id}"


def learned(name: str) -> str:
    """What routers learned, one JSON document per name; gone 30 days after its last change."""
    return f"{PREFIX}learned:{name}"


def mailbox(router: str) -> str:
    """Chunks and finals of the requests that a router is serving over HTTP."""
    return f"{PREFIX}mailbox:{router}"
