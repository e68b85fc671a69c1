"""Dependency audit: what is installed, held to advisories kept in the repository, so that it needs no network."""
