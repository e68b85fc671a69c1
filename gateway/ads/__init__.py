"""Sponsored products: campaigns, what they may spend, and which of their products are shown and charged."""
