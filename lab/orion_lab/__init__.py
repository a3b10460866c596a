"""The laboratory: simulated boards and Ollamas, load generators, benchmarks, history checkers."""
