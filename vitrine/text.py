"""The one text normaliser: it runs before every cache key and every model, in training too."""

import unicodedata


def _kept(character: str) -> str:
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character


def clean_text(text: str) -> str:
    """Text for display: control, zero-width and lone surrogate characters out, white space folded."""
    if text.isprintable():
        # The only white space that is printable is the blank itself.
        return text.strip() if "  " not in text else " ".join(text.split())
    # White space first: a line end alone does not send a long text through the loop over its characters.
    text = " ".join(text.split())
    return text if text.isprintable() else " ".join("".join(map(_kept, text)).split())


def normalize_text(text: str) -> str:
    """Text for keys and models: NFKC, then `clean_text`, then case folded.

    Idempotent. "ｉＰｈｏｎｅ\\u3000１５\\u200b" and "iphone 15" become the same text.
    """
    if text.isascii():
        return clean_text(text).lower()
    folded = unicodedata.normalize("NFKC", clean_text(unicodedata.normalize("NFKC", text)).casefold())
    return clean_text(folded)


def detect_language(text: str) -> str:
    """BCP 47 tag by script: "ja" or "ko" by the first kana or hangul, else "zh" with a Han character, else "en"."""
    han = False
    for character in text:
        point = ord(character)
        if 0x3040 <= point <= 0x30FF or 0xAC00 <= point <= 0xD7AF:
            return "ja" if point <= 0x30FF else "ko"
        han = han or 0x4E00 <= point <= 0x9FFF or 0x3400 <= point <= 0x4DBF or 0x20000 <= point <= 0x323AF
    return "zh" if han else "en"
