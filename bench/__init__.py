"""The bench: speed as ratios within one run on one machine, so that a figure holds on any machine."""
