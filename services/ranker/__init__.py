"""The ranker: query and candidates to an order, by a cross-encoder and what retrieval knew."""
