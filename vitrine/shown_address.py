"""Addresses as they may stand in logs and errors."""

from urllib.parse import urlsplit


def shown_address(url: str) -> str:
    """Scheme, host, port and path of an address; names and passwords, queries, and what is no address are left out."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "…"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme and host else "…"
