"""The sample shop's reviews: ratings that follow from a product's quality, in its own language."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from cli.sample.draw import Draw
from cli.sample.products import CLOCK_START, Facts, Shop, timestamp

_OPENINGS = {
    "zh": {
        1: ("很失望，用了几天就出问题", "质量太差，不推荐", "和描述不符，已申请退货"),
        2: ("一般般，不值这个价", "做工粗糙，有点后悔", "期待太高了，实物普通"),
        3: ("中规中矩，够用", "还可以，有优点也有不足", "价格合适，质量一般"),
        4: ("整体不错，推荐", "用着挺好，物流也快", "性价比高，小瑕疵可以接受"),
        5: ("非常满意，会回购", "超出预期，家人都喜欢", "质量很好，包装用心，五星好评"),
    },
    "en": {
        1: ("Very disappointed, it failed within days", "Poor quality, avoid", "Not as described, sent it back"),
        2: ("Meh, not worth the price", "Feels cheap, slightly regret it", "Expected more from this"),
        3: ("Does the job, nothing more", "Okay, some good and some bad", "Fair for the price"),
        4: ("Good overall, would recommend", "Works well and arrived quickly", "Great value with minor flaws"),
        5: ("Love it, would buy again", "Better than expected", "Excellent quality and well packed"),
    },
}
_MENTIONS = {
    "zh": ("{}这点{}", "特别看重{}，表现{}"),
    "en": ("the {} part is {}", "I bought it for the {}, which is {}"),
}
_VERDICTS = {"zh": ("不行", "一般", "很好"), "en": ("a let-down", "okay", "great")}


def reviews(shop: Shop, index: int, visitors: int) -> Iterator[dict[str, Any]]:
    """A row for each review of product `index`, 0 to 5 of them, by some of `visitors` visitors."""
    draw = Draw(shop.seed, "reviews", index)
    count = draw.skewed(6, 2.5)
    if not count:
        return
    facts = shop.facts(index)
    for number in range(count):
        rating = min(5, max(1, round(1 + 4 * facts.quality + 2 * draw.fraction() - 0.4)))
        time = CLOCK_START + timedelta(minutes=draw.below(129_600))
        yield {
            "id": f"R{index + 1:07d}-{number + 1}",
            "product_id": facts.id,
            "visitor_id": f"V{draw.below(visitors) + 1:07d}",
            "rating": rating,
            "text": _text(facts, rating, draw),
            "language": facts.language,
            "time": timestamp(time),
        }


def _text(facts: Facts, rating: int, draw: Draw) -> str:
    language = facts.language
    feature = facts.type.features[draw.one(facts.features)].said(language)
    verdict = _VERDICTS[language][(rating - 1) // 2]
    mention = draw.one(_MENTIONS[language]).format(feature, verdict)
    opening = draw.one(_OPENINGS[language][rating])
    return f"{opening}，{mention}。" if language == "zh" else f"{opening}; {mention}."
