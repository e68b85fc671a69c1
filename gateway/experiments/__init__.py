"""Experiments: which visitor gets which settings, and tokens that tie what visitors then do to it."""
