"""The worker: one per board. Takes requests from the ledger, runs them on the board's Ollama, reports health."""
