"""Faults shown on real processes: chaos under load, single faults, the peers' behaviour checks."""
