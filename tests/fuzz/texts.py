"""Targets: what callers write in little languages of their own: filters, queries, prices, tokens, credentials."""

import base64
import json
import math
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from random import Random

import numpy as np

from gateway.ads.token import opened
from gateway.experiments.attribution import read_token
from gateway.page_token import PageState, decode_page_token, encode_page_token
from gateway.token_frame import relabelled
from services.retriever.filter_expression import condition_of
from services.retriever.milvus.expression import expression_of
from services.retriever.words import indexed_text, query_terms
from tests.fuzz import values
from tests.fuzz.target import Target, bent, refused
from vitrine.money import read_money
from vitrine.plain_text import plain_text
from vitrine.text import clean_text, detect_language, normalize_text

_OWNER = bytes(8)


def targets() -> list[Target]:
    """One for each of these languages."""
    return [
        Target("text: filter", _of(values.filter_expression), _of_text(_filtered)),
        Target("text: query", _of(values.query), _of_text(_asked)),
        Target("text: plain", _of(values.text), _of_text(_plain)),
        Target("text: HTML", _of(_markup), _of_text(plain_text)),
        Target("text: price", _of(_price), _of_text(_priced)),
        Target("token: page", _page_token, _of_text(_paged)),
        Target("token: attribution", _of(_attribution), _of_text(_attributed)),
    ]


def _of(make: Callable[[Random], str]) -> Callable[[Random], bytes]:
    def made(random: Random) -> bytes:
        data = make(random).encode()
        return bent(random, data) if random.random() < 0.3 else data

    return made


def _of_text(read: Callable[[str], object]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        # What protobuf hands on is UTF-8.
        read(data.decode("utf-8", "replace"))

    return run


def _filtered(text: str) -> None:
    refused(lambda: expression_of(condition_of(text)).encode())


def _asked(text: str) -> None:
    read = indexed_text(text)
    for term in query_terms(read):
        assert 0 <= term.start <= term.end <= len(read)
        assert term.words


def _plain(text: str) -> None:
    once = normalize_text(text)
    assert normalize_text(once) == once
    clean_text(text).encode()
    detect_language(text)


def _markup(random: Random) -> str:
    tags = (
        "<p>",
        "</p>",
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "<br",
        "&lt;",
        "&#0;",
        "&#x110000;",
        "<a href='",
        "<" * 90,
    )
    return "".join(random.choice((*tags, values.text(random))) for _ in range(random.randint(1, 12)))


def _price(random: Random) -> str:
    pieces = (
        "1",
        "19",
        "1.299",
        "1,299",
        ".",
        ",",
        "-",
        "€",
        "¥",
        "EUR",
        "USD",
        " ",
        "'",
        "９",
        "e5",
        "9" * 400,
        "%",
        "\u2212",
    )
    return "".join(random.choices(pieces, k=random.randint(1, 6)))


def _priced(text: str) -> None:
    with suppress(ValueError):
        assert math.isfinite(read_money(text, "EUR")[0])


def _page_token(random: Random) -> bytes:
    """A right token, one that a forger made with the right checksum, or one that is torn."""
    ids = random.choices([*values.PRODUCT_IDS, "", "\n", "😀"], k=random.choice((0, 1, 3, 500)))
    state = PageState(ids, [values.real(random)] * len(ids), [None] * len(ids), [None] * len(ids), 3, 8, False)
    with np.errstate(over="ignore"):
        token = encode_page_token(state, _OWNER)
    if random.random() < 0.5:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[5:]
        content = bent(random, zlib.decompress(data))
        packed = zlib.compress(content)
        token = base64.urlsafe_b64encode(struct.pack("<IB", zlib.crc32(packed), 0) + packed).decode().rstrip("=")
    return bent(random, token.encode()) if random.random() < 0.3 else token.encode()


def _paged(text: str) -> None:
    def read() -> None:
        state = decode_page_token(text, _OWNER)
        assert len(state.ids) == len(state.retrieval_scores)
        with np.errstate(over="ignore"):
            encode_page_token(state.after(1, next_position=1), _OWNER)

    refused(read)
    refused(lambda: relabelled(text, "label"))


def _attribution(random: Random) -> str:
    parts = ["1", "home", random.choice(("t3k9xa", "zzzzzzz", "0")), "Qk3vX0aPz1bM", "varied-home~b", "ranks~~1Zw",
             "x~~_", values.text(random)]  # fmt: skip
    return ".".join(random.sample(parts, 3)) if random.random() < 0.3 else ".".join(parts[: random.randint(2, 8)])


def _attributed(text: str) -> None:
    if (answer := read_token(text)) is not None:
        json.dumps({name: list(team) for name, team in answer.teams.items()})
    opened(text, "v1", bytes(32), datetime.now(UTC))
