"""A board's own queue as Ollama's: what waits for a load keeps its place in line."""

from orion_lab.boards import board
from orion_lab.sim.asks import Ask
from orion_lab.sim.conditions import Conditions
from orion_lab.sim.fleets import Fleet
from orion_lab.sim.peers.catalogue import PEERS
from orion_lab.sim.runs import simulate
from orion_lab.sim.workloads import CHAT, MODEL_1B, MODEL_3B, frozen

ONE = Fleet("one", (board("pi-8gb"),))


def _served(models: list[str], pending_in_order: bool) -> list[str]:
    asks = [
        Ask(
            request_id=f"{number}",
            model=model,
            user="u",
            session=f"{number}",
            priority="interactive",
            input_tokens=20,
            prompt_prefix=((number, 20),),
            output_tokens=20,
            arrived_s=0.1 * number,
            reply_hash=-1 - number,
        )
        for number, model in enumerate(models)
    ]
    outcome = simulate(
        ONE, frozen("t", asks, CHAT, 1e9), PEERS["least connections"](0), 0,
        Conditions(pending_in_order=pending_in_order),
    )  # fmt: skip
    return [each.ask.request_id for each in sorted(outcome.records, key=lambda r: r.started_s)]


def test_what_came_before_the_load_waits_in_line() -> None:
    """Three of each, alternating, before anything is loaded: Ollama loads six times."""
    models = [MODEL_1B, MODEL_3B] * 3
    assert _served(models, pending_in_order=True) == ["0", "1", "2", "3", "4", "5"]
    assert _served(models, pending_in_order=False) == ["0", "2", "4", "1", "3", "5"]


def test_a_loaded_model_takes_what_comes_later() -> None:
    """The line is for loads only: a request for the loaded model does not wait in it."""
    late = [MODEL_1B, MODEL_3B, *[MODEL_1B] * 60]
    served = _served(late, pending_in_order=True)
    # The load of the small model takes 12 s: what came in these seconds is in the line, too.
    assert served[:2] == ["0", "1"]
    assert served[2:] == [str(number) for number in range(2, 62)]
