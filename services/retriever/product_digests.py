"""Pages of product digests: the whole catalogue by id, however it changes meanwhile."""

import base64
import binascii

from services.retriever.catalogue import Catalogue
from vitrine.errors import invalid
from vitrine.ports import DigestPage

MAX_PAGE_SIZE = 10_000


def checked_page(page_token: str, page_size: int) -> str:
    """The id after which the page begins; "" for the first. Raises InvalidArgument."""
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise invalid("page_size", f"is {page_size}; ask for 1 to {MAX_PAGE_SIZE}")
    try:
        return base64.b64decode(page_token.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise invalid("page_token", "is none that was given; begin anew with an empty one") from None


def page_of(catalogue: Catalogue, after: str, page_size: int) -> DigestPage:
    """The page that begins after an id; the last one names no next."""
    # One more than asked, which tells whether there is a next page.
    found = catalogue.digests(after, page_size + 1)
    page = tuple(found[:page_size])
    last = page[-1][0] if len(found) > page_size else ""
    return DigestPage(page, base64.urlsafe_b64encode(last.encode()).decode())
