"""Traditional Chinese read as simplified, so that words written either way are the same word."""

from functools import cache

_HAN_BLOCKS = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x2A6E0))


def simplified(text: str) -> str:
    """The text with each traditional character replaced by its simplified one; as long as it was.

    By character and not by phrase, as a search index needs it: both sides of a comparison become the same.
    """
    return text if text.isascii() else text.translate(_table())


@cache
def _table() -> dict[int, str]:
    # OpenCC's own table of characters, read through its converter; loaded when the first Chinese text comes.
    from opencc import OpenCC

    characters = [chr(point) for first, end in _HAN_BLOCKS for point in range(first, end)]
    converted = OpenCC("t2s").convert("\n".join(characters)).split("\n")
    pairs = zip(characters, converted, strict=True)
    return {ord(one): other for one, other in pairs if one != other and len(other) == 1}
