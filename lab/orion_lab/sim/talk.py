"""How people talk to a model: lengths, turns, pauses, and one random stream per user."""

from dataclasses import dataclass
from itertools import accumulate
from math import log
from random import Random

from orion_lab.sim.asks import Ask, Prefix, Priority

# A conversation starts anew before it would outgrow the default context of 4096 tokens.
_LONGEST_TOKENS = 3500


@dataclass(frozen=True, slots=True)
class Habits:
    """Means and shapes of a class of users. Lengths in tokens are log-normal."""

    models: tuple[tuple[str, float], ...]
    """Name and share; each conversation takes one."""
    first_tokens: float
    """Mean length of a conversation's first prompt, system prompt included."""
    message_tokens: float
    """Mean length of a later message."""
    answer_tokens: float
    turns: float
    """Mean turns of a conversation (geometric)."""
    think_s: float
    """Mean pause after an answer (exponential)."""
    sigma: float
    """Log-normal shape of all lengths."""
    priority: Priority = "interactive"


class Talker:
    """One user. The n-th turn is the same whatever the policy made of the turns before."""

    def __init__(self, habits: Habits, user: str, number: int, seed: str) -> None:
        self.habits, self.user = habits, user
        self._number = number
        self._rng = Random(f"{seed}/{user}")
        self._names = [name for name, _ in habits.models]
        self._shares = list(accumulate(share for _, share in habits.models))
        self._turn = self._conversation = 0
        self._model = ""
        self._prefix: Prefix = ()
        self._turns_left = False
        self.begins_s = self.pause_s()

    @property
    def goes_on(self) -> bool:
        """Whether the next turn belongs to the same conversation."""
        return self._turns_left and self._prefix[-1][1] <= _LONGEST_TOKENS

    def pause_s(self) -> float:
        """Time to read and think before the next turn."""
        return self._rng.expovariate(1.0 / self.habits.think_s) if self.habits.think_s else 0.0

    def ask(self, at_s: float) -> Ask:
        """The next turn, sent at this time."""
        if not self.goes_on:
            self._conversation += 1
            self._prefix = ()
            self._model = self._rng.choices(self._names, cum_weights=self._shares)[0]
        mean = self.habits.message_tokens if self._prefix else self.habits.first_tokens
        before = self._prefix[-1][1] if self._prefix else 0
        prompt = (*self._prefix, (self._hash(), before + self._length(mean)))
        answer = self._length(self.habits.answer_tokens)
        self._turns_left = self._rng.random() >= 1.0 / self.habits.turns
        self._turn += 1
        ask = Ask(
            request_id=f"{self.user}-{self._turn}",
            model=self._model,
            user=self.user,
            session=f"{self.user}/{self._conversation}",
            priority=self.habits.priority,
            input_tokens=prompt[-1][1],
            prompt_prefix=prompt,
            output_tokens=answer,
            arrived_s=at_s,
            reply_hash=self._hash(1),
        )
        self._prefix = ask.whole
        return ask

    def _hash(self, reply: int = 0) -> int:
        turn = self._turn - reply  # after `ask` counted it, the reply belongs to the turn before
        return (self._number << 32) | (turn << 1) | reply

    def _length(self, mean: float) -> int:
        sigma = self.habits.sigma
        # exp(mu + sigma**2 / 2) is the mean.
        return max(1, round(self._rng.lognormvariate(log(mean) - sigma * sigma / 2, sigma)))
