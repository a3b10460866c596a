"""The policy laboratory: a discrete-event simulator of a fleet and the policies that route to it.

Pure: no I/O and no clock (only `runner` starts processes). Times are simulated seconds.
"""
