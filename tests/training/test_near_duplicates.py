"""Near-duplicates are told from texts that only look alike."""

import random

from training.near_duplicates import NearDuplicates


def _text(rng: random.Random) -> str:
    return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(14))


def test_a_text_with_one_word_changed_is_no_news_and_others_are() -> None:
    rng = random.Random(0)
    near = NearDuplicates()
    texts = [_text(rng) for _ in range(300)]
    assert sum(near.is_new(text) for text in texts) == 300
    changed = [text.replace(text.split()[-1], "new") for text in texts]
    assert sum(near.is_new(text) for text in changed) < 30


def test_short_and_chinese_texts() -> None:
    near = NearDuplicates()
    assert [
        near.is_new(text) for text in ("a", "a", "b", "红色连衣裙夏季新款", "红色连衣裙夏季新款", "黑色运动鞋男透气")
    ] == [
        True,
        False,
        True,
        True,
        False,
        True,
    ]
