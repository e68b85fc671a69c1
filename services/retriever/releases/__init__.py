"""Releases as the catalogue keeps them: which models answer together, and which release serves."""
