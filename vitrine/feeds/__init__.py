"""Shops' product feeds: recognised by what they hold, and read as the catalogue's own rows."""
