"""Up: the whole suite on this machine, in one process or as separate ones."""
