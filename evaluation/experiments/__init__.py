"""Experiments read from events: what each arm's visitors did, and whether chance explains the difference."""
