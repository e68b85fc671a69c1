"""What visitors do: kept in Redis, durable and in order, with each visitor's history and the products' popularity."""
