"""The retriever's backend over Milvus: vectors, filters and words lie there; the catalogue stays the truth."""
