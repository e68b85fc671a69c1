"""Faults on purpose: a suite of real processes that are restarted, killed, hung and overloaded under load."""
