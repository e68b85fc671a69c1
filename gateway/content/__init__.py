"""Content: reviews and guides for a query, for products, or for a visitor."""
