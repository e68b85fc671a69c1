"""The public API: one pipeline that asks embedder, retriever and ranker, and keeps what is hot in Redis."""
