"""Ingest: a shop's files into the catalogue, over the public API."""
