"""The page token: the rest of a result list, so that later pages neither repeat nor skip, whatever changes meanwhile.

Label of the frame: the answer's attribution token. Content: a header, ids divided by line feeds, and, not compressed,
packed little-endian float32: one retrieval score for each entry, then logit, score, probability and what taste added
for each entry that was ranked, NaN for what one among them has not.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import isnan, nan

import numpy as np

from gateway.search import Degradation, Personal, RankScores, SearchHit
from gateway.token_frame import damaged, foreign, framed, unframed
from vitrine.ports import ProductFilter
from vitrine.product import Product

_VERSION = 5
# version, window-is-full, degradations, next position, rank depth, entries, ranked entries, bytes of ids, total size
# (-1: not known), fingerprint
_HEADER = struct.Struct("<BBBIHHHIq8s")


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
    total_size: int | None = None

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


def query_fingerprint(text: str, filter: ProductFilter, order_by: str = "") -> bytes:
    """8 bytes that tell one normalised query, filter and order from another."""
    return blake2b(f"{text}\0{filter!r}\0{order_by}".encode(), digest_size=8).digest()


def encode_page_token(state: PageState, fingerprint: bytes) -> str:
    """The state as a token for the caller to hand back; 5 to 8 kB for 490 entries."""
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
        -1 if state.total_size is None else state.total_size,
        fingerprint,
    )
    return framed(header + ids, state.attribution_token, np.array(numbers, "<f4").tobytes())


def decode_page_token(token: str, fingerprint: bytes) -> PageState:
    """The state in a token. Raises InvalidArgument when it is damaged, or belongs to another query or filter."""
    content, attribution_token = unframed(token)
    try:
        header = _HEADER.unpack_from(content)
        version, window_full, kinds, position, depth, count, ranked, id_bytes, size, owner = header
        numbers_at = _HEADER.size + id_bytes
        ids = content[_HEADER.size : numbers_at].decode().split("\n")
        numbers = np.frombuffer(content, "<f4", offset=numbers_at).tolist()
    except (struct.error, ValueError) as error:
        raise damaged() from error
    if version != _VERSION or len(ids) != count or ranked > count or len(numbers) != count + 4 * ranked:
        raise damaged()
    if owner != fingerprint:
        raise foreign()
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
        total_size=None if size < 0 else size,
    )
