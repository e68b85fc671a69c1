"""Suggestions: what a shopper who began to type may mean, from the words of the living catalogue."""
