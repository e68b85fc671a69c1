"""Text to vector: the embedder."""
