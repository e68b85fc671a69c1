"""A version of a product as Milvus keeps it: what filters ask, as terms and numbers, and its words."""

from collections.abc import Iterator, Mapping

from services.retriever.conditions import SEPARATORS, Values, levels_of, normal
from services.retriever.lexical_index import Entry
from services.retriever.lexical_view import CODE_FIELD
from services.retriever.milvus.collection import MAX_TERMS, MAX_WORDS_BYTES
from services.retriever.milvus.tokens import tokens_of
from vitrine.vectors import FloatArray

# Values of one key that a range with two ends, and a beginning, are compared with.
COMPARED_VALUES = 8
# Grows with every change of what an entity holds: a collection of another layout is made anew beside.
LAYOUT = 2
# How often a word counts where it is found: BM25 over fields with weights, as one text (Robertson et al. 2004).
FIELD_REPEATS = {"title": 2, CODE_FIELD: 1, "brand": 1, "categories": 1, "attributes": 1, "description": 1}


def entity_of(row: int, product_id: str, entry: Entry, vectors: Mapping[str, FloatArray]) -> dict[str, object]:
    """The entity of one version; `vectors` (dim,) L2-normalised by their field."""
    return {
        "row": row,
        "id": product_id,
        **vectors,
        "terms": terms_of(entry.values)[:MAX_TERMS],
        "texts": texts_of(entry.values),
        "values": dict(entry.values),
        "numbers": numbers_of(entry.values),
        "words": words_text(entry.fields),
    }


def behaviour_field(recommender_digest: str) -> str:
    """The field of products' vectors in a recommender's behaviour space."""
    return f"behaviour_{recommender_digest.rpartition(':')[2][:16]}"


def terms_of(values: Values) -> list[str]:
    """What a product is found by in filters: keys that it has, words under their key, and the levels above them."""
    terms: dict[str, None] = {}
    for key, found in values.items():
        terms[presence_term(key)] = None
        for value in found:
            if isinstance(value, str):
                word = normal(key, value)
                terms[word_term(key, word)] = None
                if key in SEPARATORS:
                    terms.update((level_term(key, level), None) for level in levels_of(key, word))
    return list(terms)


def presence_term(key: str) -> str:
    """The term of a product that has a value under the key."""
    return path_of(key)


def word_term(key: str, word: str) -> str:
    """The term of a product that has this normal word under the key."""
    return f"{path_of(key)}={word}"


def level_term(key: str, word: str) -> str:
    """The term of a product that has this normal word, or one below it, under the key."""
    return f"{path_of(key)}>{word}"


def texts_of(values: Values) -> dict[str, list[str]]:
    """Normal words by the path of their key."""
    texts = {key: [normal(key, v) for v in found if isinstance(v, str)] for key, found in values.items()}
    return {path_of(key): words for key, words in texts.items() if words}


def numbers_of(values: Values) -> dict[str, list[float]]:
    """Numbers by the path of their key: the least, the largest, then all others."""
    numbers = {key: sorted(float(v) for v in found if not isinstance(v, str)) for key, found in values.items()}
    return {path_of(key): [each[0], each[-1], *each[1:-1]] for key, each in numbers.items() if each}


def path_of(key: str) -> str:
    """A key as a name that needs no escapes in an expression, and that ends where a sign begins."""
    return key if key.isidentifier() and key.isascii() else f"h{key.encode().hex()}"


def left_out(entry: Entry) -> dict[str, str]:
    """What filters or searches do not know of a version, by what it is of; empty of nearly all."""
    faults = {}
    if len(terms_of(entry.values)) > MAX_TERMS:
        faults["terms"] = f"filters know the first {MAX_TERMS:,} values only"
    many = [key for key, found in entry.values.items() if len(found) > COMPARED_VALUES]
    if many:
        faults["values"] = f"ranges and beginnings look at the first {COMPARED_VALUES} values of {many[0]!r} only"
    # Spelled in letters and digits a word is at most four times as long, and a title is there twice: seldom too much.
    may_be_long = 8 * sum(len(text.encode()) for text in entry.fields.values()) > MAX_WORDS_BYTES
    if may_be_long and sum(len(token) + 1 for token in _tokens(entry.fields)) > MAX_WORDS_BYTES:
        faults["words"] = f"searches know the first {MAX_WORDS_BYTES:,} bytes of its words only"
    return faults


def words_text(fields: Mapping[str, str]) -> str:
    """The words of all fields as one text, those of the title first and twice; what is too long loses its end."""
    kept: list[str] = []
    size = 0
    for token in _tokens(fields):
        size += len(token) + 1
        if size > MAX_WORDS_BYTES:
            break
        kept.append(token)
    return " ".join(kept)


def _tokens(fields: Mapping[str, str]) -> Iterator[str]:
    for field, repeats in FIELD_REPEATS.items():
        yield from tokens_of([fields.get(field, "")]) * repeats
