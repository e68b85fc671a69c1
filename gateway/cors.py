"""CORS: pages of which other origins may call the HTTP port from a browser."""

import re
from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

ANY = "*"
# What a client of this API sends beside Content-Type: its key or token, and Connect's own.
_HEADERS = ("Authorization", "X-Api-Key", "Connect-Protocol-Version", "Connect-Timeout-Ms", "Content-Type")
# How long a browser need not ask again before a call; Chromium keeps no answer longer.
_KEPT_S = 7_200
# As browsers send it: in small letters of ASCII, without the port that goes without saying.
_ORIGIN = re.compile(r"(?!https:.*:443$|http:.*:80$)https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d+)?")


def checked_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """The same. Raises ValueError when one is no origin as browsers send it."""
    for origin in origins:
        if origin != ANY and not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"{origin!r} is no origin; write scheme, host and port as browsers send them: https://shop.example"
            )
    return origins


def cors(origins: Sequence[str]) -> list[Middleware]:
    """Lets pages of these origins call; none: no header is sent, and browsers keep other pages out.

    Cookies are never part of it: who calls says so by a key or token.
    """
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["POST"],
            allow_headers=list(_HEADERS),
            expose_headers=["Retry-After"],
            max_age=_KEPT_S,
        )
    ]
