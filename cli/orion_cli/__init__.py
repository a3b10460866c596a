"""The `orion` command: run the system on one computer, talk to it, look at it, diagnose it."""
