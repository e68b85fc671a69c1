"""Words and vector to candidates: the retriever, keeper of the catalogue."""
