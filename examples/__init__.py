"""Clients of the public API in other languages; `make examples` builds and runs each against a running suite."""
