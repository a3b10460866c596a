"""Two models in turn on two boards with room for one each, nothing else to do."""

from orion_lab.boards import board
from orion_lab.sim.asks import Ask
from orion_lab.sim.fleets import Fleet
from orion_lab.sim.ours import Ours
from orion_lab.sim.runs import simulate
from orion_lab.sim.workloads import CHAT, MODEL_1B, MODEL_3B, frozen

ASKED = 24


def test_each_board_keeps_the_model_it_has() -> None:
    """Two loads are enough, and a third may be lost at the start."""
    asks = [
        Ask(
            request_id=str(number),
            model=(MODEL_1B, MODEL_3B)[number % 2],
            user="u",
            session=str(number),
            priority="interactive",
            input_tokens=30,
            prompt_prefix=((number, 30),),
            output_tokens=20,
            arrived_s=60.0 * number,
            reply_hash=-1 - number,
        )
        for number in range(ASKED)
    ]
    two = Fleet("two", (board("pi-8gb"), board("pi-8gb")))
    outcome = simulate(two, frozen("alternating", asks, CHAT, 1e9), Ours(), 0)
    assert sum(each.loads for each in outcome.boards) <= 3
