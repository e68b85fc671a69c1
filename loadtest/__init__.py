"""Load tests: ghz against a running suite, one table, and limits that a run must keep."""
