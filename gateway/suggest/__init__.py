"""Suggestions while a shopper types: the retriever's, and what others searched for."""
