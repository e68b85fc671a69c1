"""Bulk embedding on Ray: one Ray Data job embeds a feed's batches on many machines (`vitrine ingest --engine ray`)."""
