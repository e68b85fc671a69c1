"""Releases: which models answer a call, followed from the store, and changed by whoever runs the shop."""
