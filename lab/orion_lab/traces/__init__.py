"""Traces of running systems: their format, and running them again in the simulator."""
