"""All peers by name."""

from typing import Final

from orion_lab.sim.peers.chwbl import BoundedHashing
from orion_lab.sim.peers.herd import HerdLike
from orion_lab.sim.peers.plain import (
    GatedLeastConnections,
    LeastConnections,
    RandomBoard,
    RoundRobin,
)
from orion_lab.sim.peers.sticky import Sticky, StickyLate
from orion_lab.sim.runs import PolicyFactory

PEERS: Final[dict[str, PolicyFactory]] = {
    each.name: each
    for each in (
        RandomBoard,
        RoundRobin,
        LeastConnections,
        GatedLeastConnections,
        BoundedHashing,
        HerdLike,
        Sticky,
        StickyLate,
    )
}
