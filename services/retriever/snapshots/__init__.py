"""Snapshots of the catalogue: made while it is written to, checked by digest, restored into either database."""
