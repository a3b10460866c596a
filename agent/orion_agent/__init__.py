"""The worker, one per board: runs requests on the board's Ollama and reports the board's health."""
