"""A version of a product as Milvus keeps it: what filters ask, as terms and numbers, and its words."""

from collections.abc import Mapping

from services.retriever.conditions import SEPARATORS, Values, levels_of, normal
from services.retriever.lexical_index import Entry
from services.retriever.lexical_view import CODE_FIELD
from services.retriever.milvus.collection import MAX_TERMS, MAX_WORDS_BYTES
from services.retriever.milvus.tokens import tokens_of
from vitrine.vectors import FloatArray

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


def words_text(fields: Mapping[str, str]) -> str:
    """The words of all fields as one text, those of the title first and twice; what is too long loses its end."""
    tokens = (
        token for field, repeats in FIELD_REPEATS.items() for token in tokens_of([fields.get(field, "")]) * repeats
    )
    kept: list[str] = []
    size = 0
    for token in tokens:
        size += len(token) + 1
        if size > MAX_WORDS_BYTES:
            break
        kept.append(token)
    return " ".join(kept)
