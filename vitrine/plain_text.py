"""Plain text of what shops keep as HTML, or escaped once too often."""

import html
import re

_TAG = re.compile(r"<(?:[a-zA-Z/][^<>]*|!--.*?--)>", re.DOTALL)
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);")
# A word ends where one of these begins or ends; within others ("i<sup>2</sup>c") it goes on.
_BREAK = re.compile(
    r"<(?=/?(?:p|div|br|hr|li|ul|ol|dl|dt|dd|tr|td|th|table|h[1-6]|section|article|blockquote|pre|figure|img|option)\b)",
    re.IGNORECASE,
)
_UNREAD = ["script", "style", "template", "noscript"]
# Many times what a description may have once its markup is out; the rest of a text of megabytes is never looked at.
_MAX_MARKUP_CHARACTERS = 1_000_000


def is_markup(text: str) -> bool:
    """Whether the text has tags or entities."""
    return ("<" in text and _TAG.search(text) is not None) or ("&" in text and _ENTITY.search(text) is not None)


def plain_text(text: str) -> str:
    """The words of a text that may be HTML; entities are read twice, as many exports escape what is escaped already."""
    text = text[:_MAX_MARKUP_CHARACTERS]
    for _ in range(2):
        if not is_markup(text):
            break
        text = _words(text) if _TAG.search(text) else html.unescape(text)
    return text


def _words(markup: str) -> str:
    from selectolax.lexbor import LexborHTMLParser

    parsed = LexborHTMLParser(_BREAK.sub(" <", markup))
    parsed.strip_tags(_UNREAD)
    return parsed.text(separator="")
