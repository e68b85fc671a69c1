"""Values as a careless or an evil caller writes them: texts, numbers, filters and queries."""

from collections.abc import Callable
from random import Random

# What the catalogue, the models and the store of the fuzzed server know, so that inputs get far.
PRODUCT_IDS = [f"p{number:03}" for number in range(40)]
VISITORS = ["v1", "v2", "v3"]
WORDS = ["red", "blue", "watch", "phone", "case", "good", "strong", "智能手表", "无线耳机", "wh-1000xm5", "65w",
         "3.5 mm", "15,6 inch", "usb-c", "ｉＰｈｏｎｅ１５", "Norvik", "the", "的", "size:XL"]  # fmt: skip

_TEXTS = [
    "", " ", "\u3000", "\u200b", "\0", "a\0b", "\x1b[31m", "\x7f\x85\u2028", "\ufeffid", "\u202eevil\u202c", "שלום",
    "مرحبا", "😀", "👩‍👩‍👧‍👦", "🇨🇳", "e\u0301" * 20, "\u0300" * 300, "ﷺ", "İ", "ß", "ﬁ", "\ufffd", "\uffff", "𠮷", "½",
    "²",
    "٣", "Ⅷ", "-", "--", "'", '"', "\\", "%", "_", "*", "?", "AND", "OR", "NOT", "null", "NaN", "1e999", "-0", "0x10",
    "true", "$ne", "{}", "[]", "<script>alert(1)</script>", "<b>bold", "&amp;&#0;", "../../etc/passwd", "a/b", "a.b",
    "'; DROP TABLE version; --", "\r\nSet-Cookie: a=b", "x" * 129, "x" * 5_000, "字" * 2_000, "a " * 600, "(" * 300,
]  # fmt: skip
_WHOLES = [0, 1, -1, 2, 3, 10, 100, 500, 1_000, 100_000, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)]
_REALS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    19.99,
    1e-300,
    5e-324,
    1e15,
    1e38,
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
]


def text(random: Random) -> str:
    """A text, of words that are known or of what seldom is met."""
    match random.randrange(5):
        case 0 | 1:
            return " ".join(random.choices(WORDS, k=random.choice((1, 1, 2, 3, 8))))
        case 2:
            return random.choice(_TEXTS)
        case 3:
            return random.choice(_TEXTS) + random.choice(WORDS) + random.choice(_TEXTS)
        case _:
            points = (random.choice((0x7F, 0x2FF, 0x9FFF, 0xD7FF, 0x1F6FF)) for _ in range(random.randint(1, 12)))
            found = "".join(chr(random.randint(0, point)) for point in points)
            return found.encode("utf-8", "replace").decode()


def word(random: Random) -> str:
    """A word as it should be."""
    return random.choice(WORDS)


def whole(random: Random, least: int, most: int) -> int:
    """A whole number of that range, small ones and the ends above all."""
    return min(max(random.choice(_WHOLES), least), most)


def real(random: Random) -> float:
    """A number, some not finite."""
    return random.choice(_REALS)


_FIELDS = ["price", "brand", "id", "title", "categories", "availability", "language", "rating", "kind", "update_time",
           "original_price", "currency_code", "attributes.size", 'attributes."a b"', "attributes.", "about_product_ids",
           "nothing", "-price", '"price"', "attributes.size.more"]  # fmt: skip
_OPERATORS = ["=", "!=", "<", "<=", ">", ">=", ":", "==", "=>", "", "~"]
_LITERALS = ["1", "-5", "1e999", "1e-400", "nan", "inf", "*", "IN_STOCK", '"red"', "'智能手表'", '"a\\"b"', '"', '"*"',
             "2026-11-26", '"2026-11-26T00:00:00Z"', "0001-01-01", "9999-12-31", "PRODUCT", '"Home > Audio"', "1..2",
             "9" * 400, "0x10", "true", "-", "NOT", '"a*"', '"*a*"', '"\0"']  # fmt: skip


def filter_expression(random: Random, depth: int = 0) -> str:
    """A filter expression by the grammar, now and then beside it, nested deeper than is allowed now and then."""
    match random.randrange(9):
        case 0 if depth < 30:
            return f"({filter_expression(random, depth + 1)})"
        case 1 if depth < 30:
            return f"{random.choice(('NOT ', '-', 'NOT NOT ', 'not '))}{filter_expression(random, depth + 1)}"
        case 2 | 3 if depth < 12:
            joint = random.choice((" AND ", " OR ", " ", " and ", " AND AND ", ", ", ")("))
            count = random.choice((2, 2, 3)) if depth < 4 else 1
            return joint.join(filter_expression(random, depth + 1) for _ in range(count))
        case 4:
            literals = random.choice((", ", " OR ", " AND ", ",,")).join(random.choices(_LITERALS, k=3))
            return f"{random.choice(_FIELDS)} {random.choice(_OPERATORS)} ({literals})"
        case 5:
            opened = random.choice((5, 19, 20, 21, 22, 500))
            return "(" * opened + "price > 1" + ")" * random.choice((opened, opened - 1))
        case 6:
            return f'{random.choice(_FIELDS)}:"{text(random)}"'
        case _:
            blank = random.choice(("", " "))
            return f"{random.choice(_FIELDS)}{blank}{random.choice(_OPERATORS)}{blank}{random.choice(_LITERALS)}"


def query(random: Random) -> str:
    """A shopper's query: words, what is excluded, quantities, model numbers, and what keyboards give by mistake."""
    pieces = []
    for _ in range(random.choice((1, 1, 2, 3, 6, 40))):
        word = random.choice(WORDS)
        match random.randrange(8):
            case 0:
                word = f"-{word}"
            case 1:
                word = f"{random.choice(('1', '0.5', '1,000', '１０', '9' * 30, '1e5'))}{random.choice(('', ' '))}" + (
                    random.choice(("gb", "W", "mm", "毫米", "寸", "inch", '"', "x", "ml"))
                )
            case 2:
                at = random.randrange(len(word))
                word = word[:at] + random.choice("xq字") + word[at + 1 :]
            case 3:
                word = text(random)
            case _:
                pass
        pieces.append(word)
    return random.choice((" ", " ", "", "\u3000", "-", " - ")).join(pieces)


def order_by(random: Random) -> str:
    """An order of results."""
    keys = ["price", "price desc", "rating desc", "popularity", "relevance", "update_time", "price  asc", "nothing", ""]
    return ", ".join(random.choices(keys, k=random.choice((1, 1, 2, 9))))


# By a field's name, what it is given three times out of four.
OF_FIELD: dict[str, Callable[[Random], str]] = {
    "expression": filter_expression,
    "filter": filter_expression,
    "query": query,
    "text": query,
    "texts": query,
    "queries": query,
    "order_by": order_by,
    "id": lambda random: random.choice(PRODUCT_IDS),
    "ids": lambda random: random.choice(PRODUCT_IDS),
    "product_id": lambda random: random.choice(PRODUCT_IDS),
    "product_ids": lambda random: random.choice(PRODUCT_IDS),
    "visitor_id": lambda random: random.choice(VISITORS),
    "currency_code": lambda random: random.choice(("EUR", "CNY", "EUR", "eur", "XTS", "EURO")),
    "language": lambda random: random.choice(("en", "zh", "zh-CN", "xx")),
    "name": lambda random: random.choice(("first", "second", "third")),
}
