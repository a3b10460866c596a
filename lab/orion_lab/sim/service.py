"""One request being served by a board: its phases, known in full from its start."""

from orion_lab.sim.asks import Ask
from orion_lab.sim.policies import Facts


class Service:
    """Load, prompt, answer: when each ends. Nothing that happens later changes it, except that
    the board dies: a board serves one request at a time, and its heat depends on nothing else."""

    __slots__ = (
        "ask",
        "disk",
        "dispatched_s",
        "done_s",
        "first_token_s",
        "load_from_c",
        "loaded_s",
        "prefilled_tokens",
        "started_s",
        "work_from_c",
        "work_s",
    )

    def __init__(self, ask: Ask, dispatched_s: float, started_s: float) -> None:
        self.ask = ask
        self.dispatched_s = dispatched_s
        self.started_s = started_s
        self.loaded_s = started_s
        self.disk = False
        self.prefilled_tokens = 0
        self.load_from_c = self.work_from_c = 0.0
        self.first_token_s = self.done_s = self.work_s = 0.0

    @property
    def load_s(self) -> float:
        """Seconds that the load takes; 0 if the model was resident."""
        return self.loaded_s - self.started_s

    def tokens_at(self, now_s: float) -> int:
        """Output tokens so far."""
        if now_s < self.first_token_s:
            return 0
        span_s = self.done_s - self.first_token_s
        share = 1.0 if span_s <= 0.0 else (now_s - self.first_token_s) / span_s
        return min(self.ask.output_tokens, int(share * self.ask.output_tokens))

    def facts(self) -> Facts:
        """What the engine reports at the end."""
        return Facts(
            self.done_s,
            self.load_s,
            self.first_token_s - self.loaded_s,
            self.ask.input_tokens,
            self.prefilled_tokens,
            self.done_s - self.first_token_s,
            self.ask.output_tokens,
            self.ask.whole,
        )
