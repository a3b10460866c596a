"""The simulator's workloads on real processes, and what the two say about each other."""
