"""Top: rates, latencies, caches and queues of running processes, live in a terminal."""
