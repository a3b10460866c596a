"""An additive score in the manner of ollama-herd: hot, warm, cold; fit; queue; wait; session."""

from collections import deque

from orion_lab.models import model
from orion_lab.rates import decode_s_per_token
from orion_lab.sim.asks import Ask
from orion_lab.sim.peers.gates import alive
from orion_lab.sim.policies import Facts
from orion_lab.sim.views import BoardView, View

_HOT, _WARM, _COLD = 50.0, 30.0, 10.0
_WARM_FOR_S = 1800.0
_FIT = 20.0
_PER_QUEUED, _QUEUED_MOST = 6.0, 30.0
_WAIT_SHARE, _WAIT_MOST = 10.0, 25.0
_PIN = 20.0
_SAMPLES = 100
# Before there is a history: 100 tokens, there at a desktop's speed, here at the board's.
_TOKENS_AT_FIRST = 100


class HerdLike:
    """The board with the highest sum. Depth is counted per board (there per board and model, which
    misleads where a board runs one request at a time); what it costs is the 75th percentile of
    what this board took for such requests."""

    name = "herd-like"

    def __init__(self, seed: int = 0) -> None:
        self._took_s: dict[tuple[str, str], deque[float]] = {}
        self._resident: dict[str, set[str]] = {}
        self._left_s: dict[tuple[str, str], float] = {}
        self._pins: dict[str, str] = {}

    def finished(self, ask: Ask, board: str, facts: Facts) -> None:
        """Remember how long it took."""
        seconds = facts.load_s + facts.prompt_s + facts.decode_s
        self._took_s.setdefault((board, ask.model), deque(maxlen=_SAMPLES)).append(seconds)

    def watch(self, view: View) -> None:
        """Notice which models left a board's memory: they are warm for half an hour."""
        for board in view.boards:
            now = set(board.resident)
            for gone in self._resident.get(board.name, set[str]()) - now:
                self._left_s[board.name, gone] = view.now_s
            self._resident[board.name] = now

    def choose(self, ask: Ask, view: View) -> str:
        """Ties go to the first board."""
        chosen = max(alive(view), key=lambda board: self._score(ask, board, view.now_s)).name
        self._pins[ask.session] = chosen
        return chosen

    def _score(self, ask: Ask, board: BoardView, now_s: float) -> float:
        depth = len(board.holding)
        score = self._heat(ask, board, now_s) + _fit(ask, board)
        score -= min(_QUEUED_MOST, depth * _PER_QUEUED)
        wait_s = sum(self._p75_s(each.ask.model, board) for each in board.holding)
        score -= min(_WAIT_MOST, wait_s / _WAIT_SHARE)
        if self._pins.get(ask.session) == board.name:
            score += _PIN / (1.0 + depth / 2)
        return score

    def _heat(self, ask: Ask, board: BoardView, now_s: float) -> float:
        if ask.model in board.resident:
            return _HOT
        left_s = self._left_s.get((board.name, ask.model))
        return _COLD if left_s is None or now_s - left_s > _WARM_FOR_S else _WARM

    def _p75_s(self, name: str, board: BoardView) -> float:
        took = self._took_s.get((board.name, name))
        if not took:
            return _TOKENS_AT_FIRST * decode_s_per_token(board.spec, model(name).size_bytes)
        return sorted(took)[int(0.75 * (len(took) - 1))]


def _fit(ask: Ask, board: BoardView) -> float:
    if ask.model in board.resident:
        return _FIT
    ratio = board.memory_available_bytes / model(ask.model).size_bytes
    return next(
        (
            points
            for over, points in ((2.0, 20.0), (1.5, 15.0), (1.2, 8.0), (1.0, 3.0))
            if ratio > over
        ),
        0.0,
    )
