"""Quality and likeness of texts, and what stands of candidates by them."""

from math import fsum

import pytest

from gateway.content.likeness import ALIKE, likeness, sketch_of
from gateway.content.quality import LEAST, quality_of
from gateway.content.standing import standing
from gateway.recommendation.query import Reason, Recommendation, Source
from vitrine.product import Product, ProductKind

ENGLISH = "Soft and warm, keeps its shape after many washes, and the zip never sticks."
CHINESE = "布料很厚实，触感不错，洗过之后不缩水不掉色，晚上睡觉很舒服"


@pytest.mark.parametrize("good", [ENGLISH, CHINESE])
@pytest.mark.parametrize(
    "poor",
    [
        "",
        "5",
        "!!! ...",
        "★★★★★",
        "good",
        "漂亮",
        "好好好好好好好好好好好好",
        "great great great great great great great great",
        "sooooooooooooooooooo",
        "！！！！！！好！！！！！！",
        "加微信 13812345678 领红包，先到先得，名额有限",
        "Visit https://deals.example for cheap prices on everything you want",
    ],
)
def test_poor_texts_are_far_below_good_ones(good: str, poor: str) -> None:
    assert quality_of(good) > 0.8
    assert LEAST <= quality_of(poor) < 0.4 * quality_of(good)


def test_shouting_lowers_quality() -> None:
    assert quality_of(ENGLISH.upper()) == pytest.approx(quality_of(ENGLISH) / 2)
    assert quality_of("OLED TV, LG") == quality_of("oled tv, lg")  # names are written so


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (ENGLISH, ENGLISH.lower().replace(",", " "), True),
        (ENGLISH, f"Honestly: {ENGLISH}!!", True),
        (ENGLISH, ENGLISH.replace("many", "several"), True),
        (CHINESE, f"真的，{CHINESE}！", True),
        (ENGLISH, "Runs small, order one size up; the colour is darker than in the picture.", False),
        (CHINESE, "枕头很舒服，弹力很好，有助睡眠，颜色也好看", False),
        ("", ENGLISH, False),
    ],
)
def test_near_duplicates_are_told_from_others(first: str, second: str, same: bool) -> None:
    assert (likeness(sketch_of(first), sketch_of(second)) >= ALIKE) is same


def scored(product_id: str, score: float, text: str) -> Recommendation:
    review = Product(product_id, "", description=text, kind=ProductKind.REVIEW)
    reasons = (Reason(Source.ABOUT, score * 0.75), Reason(Source.SEARCHED, score * 0.25))
    return Recommendation(review, score, reasons)


def test_poor_and_repeated_texts_sink_and_the_same_text_counts_once() -> None:
    other = "Runs small, order one size up; the colour is darker than in the picture."
    stood = standing(
        [
            scored("poor", 1.0, "good!!!"),
            scored("near", 0.8, f"Honestly: {ENGLISH}"),
            scored("first", 0.9, ENGLISH),
            scored("copy", 0.7, ENGLISH.upper().capitalize()),
            scored("other", 0.5, other),
        ],
        10,
    )
    assert [one.product.id for one in stood] == ["first", "other", "poor", "near"]
    for one in stood:
        assert one.score == pytest.approx(fsum(reason.contribution for reason in one.reasons))
    assert stood[-1].reasons[0].features["said_before"] == 0.05


def test_texts_of_which_only_the_beginning_is_known_are_never_the_same() -> None:
    long = " ".join(f"word{number}" for number in range(60))
    stood = standing([scored("a", 1.0, long), scored("b", 0.9, long)], 10)
    assert [one.product.id for one in stood] == ["a", "b"]
    assert stood[1].score < 0.1 * stood[0].score


def test_a_page_is_the_same_however_many_were_asked_for() -> None:
    texts = [f"{ENGLISH} {number} {'really ' * (number % 3)}" for number in range(4)] + [CHINESE, "good", "ok then"]
    candidates = [scored(f"r{number}", 1 / (1 + number), text) for number, text in enumerate(texts)]
    whole = standing(candidates, 100)
    for count in range(1, len(whole) + 1):
        assert standing(candidates, count) == whole[:count]
