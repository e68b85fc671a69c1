"""Embedder, retriever and ranker: the three stages behind the gateway."""
