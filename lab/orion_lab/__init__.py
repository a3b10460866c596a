"""The laboratory: simulated boards and Ollama servers, load generators, benchmarks, history checkers."""
