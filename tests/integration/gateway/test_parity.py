"""The parity suite on a simulated board: quick, and where no real Ollama can be had."""

from parity.test_clients import (
    close_clients,
    test_a_bad_option_is_an_exception_with_the_same_words,
    test_exceptions_are_the_same,
    test_results_are_the_same,
)
from parity.test_wire import (
    test_a_bad_option_has_the_same_words_and_a_better_status,
    test_gets_answer_alike,
    test_posts_answer_alike,
    test_tags_and_ps_hold_the_same_models,
)

__all__ = [
    "close_clients",
    "test_a_bad_option_has_the_same_words_and_a_better_status",
    "test_a_bad_option_is_an_exception_with_the_same_words",
    "test_exceptions_are_the_same",
    "test_gets_answer_alike",
    "test_posts_answer_alike",
    "test_results_are_the_same",
    "test_tags_and_ps_hold_the_same_models",
]
