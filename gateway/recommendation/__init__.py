"""Recommendation: what to show to a visitor who has not asked for anything."""
