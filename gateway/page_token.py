"""The page token: the rest of a result list, so that later pages neither repeat nor skip, whatever changes meanwhile.

Layout, before base64url: CRC-32, then zlib over a header, ids divided by line feeds, the answer's attribution token,
and packed little-endian float32: one retrieval score for each entry, then logit, score, probability and what taste
added for each entry that was ranked, NaN for what one among them has not.
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import isnan, nan

import numpy as np

from gateway.search import Degradation, Personal, RankScores, SearchHit
from vitrine.errors import invalid
from vitrine.ports import ProductFilter
from vitrine.product import Product

_VERSION = 3
# version, window-is-full, degradations, next position, rank depth, entries, ranked entries, bytes of ids, bytes of the
# attribution token, fingerprint
_HEADER = struct.Struct("<BBBIHHHIB8s")
_CHECKSUM = struct.Struct("<I")
_MAX_BYTES = 1_000_000
_MAX_TOKEN_CHARACTERS = 400_000


@dataclass(frozen=True, slots=True)
class PageState:
    """Where the next page starts: the ids still to come, a retrieval score for each, what ranker and taste said.

    The ranker looked at the first `len(ranks)` of them; `personal_scores` are of these.
    `window_full`: more products match than the window holds.
    """

    ids: Sequence[str]
    retrieval_scores: Sequence[float]
    ranks: Sequence[RankScores | None]
    personal_scores: Sequence[float | None]
    next_position: int
    rank_depth: int
    window_full: bool
    degradations: tuple[Degradation, ...] = ()
    attribution_token: str = ""

    def hit(self, index: int, product: Product, position: int) -> SearchHit:
        """The entry at an index, with its product."""
        is_ranked = index < len(self.ranks)
        added = self.personal_scores[index] if is_ranked else None
        return SearchHit(
            product,
            position,
            self.retrieval_scores[index],
            rank=self.ranks[index] if is_ranked else None,
            personal=None if added is None else Personal(added),
        )

    def after(self, count: int, *, next_position: int) -> "PageState":
        """What is left once the first `count` were taken."""
        return replace(
            self,
            ids=self.ids[count:],
            retrieval_scores=self.retrieval_scores[count:],
            ranks=self.ranks[count:],
            personal_scores=self.personal_scores[count:],
            next_position=next_position,
        )


def query_fingerprint(text: str, filter: ProductFilter) -> bytes:
    """8 bytes that tell one normalised query and filter from another."""
    return blake2b(f"{text}\0{filter!r}".encode(), digest_size=8).digest()


def encode_page_token(state: PageState, fingerprint: bytes) -> str:
    """The state as a token for the caller to hand back; about 4 kB for 490 entries."""
    ids = "\n".join(state.ids).encode()
    numbers = list(state.retrieval_scores)
    for rank, personal in zip(state.ranks, state.personal_scores, strict=True):
        numbers += (rank.logit, rank.score, rank.probability) if rank else (nan, nan, nan)
        numbers.append(nan if personal is None else personal)
    header = _HEADER.pack(
        _VERSION,
        state.window_full,
        sum(1 << index for index, kind in enumerate(Degradation) if kind in state.degradations),
        state.next_position,
        state.rank_depth,
        len(state.ids),
        len(state.ranks),
        len(ids),
        len(state.attribution_token),
        fingerprint,
    )
    ids += state.attribution_token.encode()
    packed = zlib.compress(header + ids + np.array(numbers, "<f4").tobytes(), level=1)
    return base64.urlsafe_b64encode(_CHECKSUM.pack(zlib.crc32(packed)) + packed).decode().rstrip("=")


def decode_page_token(token: str, fingerprint: bytes) -> PageState:
    """The state in a token. Raises InvalidArgument when it is damaged, or belongs to another query or filter."""
    content = _unpacked(token)
    try:
        header = _HEADER.unpack_from(content)
        version, window_full, kinds, position, depth, count, ranked, id_bytes, token_bytes, owner = header
        token_at = _HEADER.size + id_bytes
        numbers_at = token_at + token_bytes
        ids = content[_HEADER.size : token_at].decode().split("\n")
        attribution_token = content[token_at:numbers_at].decode()
        numbers = np.frombuffer(content, "<f4", offset=numbers_at).tolist()
    except (struct.error, ValueError) as error:
        raise _damaged() from error
    if version != _VERSION or len(ids) != count or ranked > count or len(numbers) != count + 4 * ranked:
        raise _damaged()
    if owner != fingerprint:
        raise invalid("page_token", "belongs to another query or filter; ask for the first page without a token")
    entries = [numbers[at : at + 4] for at in range(count, len(numbers), 4)]
    return PageState(
        ids=ids,
        retrieval_scores=numbers[:count],
        ranks=[None if isnan(entry[0]) else RankScores(*entry[:3]) for entry in entries],
        personal_scores=[None if isnan(entry[3]) else entry[3] for entry in entries],
        next_position=position,
        rank_depth=depth,
        window_full=bool(window_full),
        degradations=tuple(kind for index, kind in enumerate(Degradation) if kinds & (1 << index)),
        attribution_token=attribution_token,
    )


def _unpacked(token: str) -> bytes:
    if len(token) > _MAX_TOKEN_CHARACTERS:
        raise _damaged()
    try:
        data = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        (checksum,) = _CHECKSUM.unpack_from(data)
        packed = data[_CHECKSUM.size :]
        if zlib.crc32(packed) != checksum:
            raise _damaged()
        inflater = zlib.decompressobj()
        # Bounded: a token is the caller's to forge, and must not inflate without end.
        content = inflater.decompress(packed, _MAX_BYTES)
    except (UnicodeEncodeError, binascii.Error, struct.error, zlib.error) as error:
        raise _damaged() from error
    if not inflater.eof:
        raise _damaged()
    return content


def _damaged() -> Exception:
    return invalid("page_token", "is damaged; send next_page_token as it was given, or none for the first page")
