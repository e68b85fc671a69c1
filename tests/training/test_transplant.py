"""Word rows move between spaces with their angles."""

import numpy as np

from training.transplant import fit_rotation, shared_token, transplant_words


def test_rotation_is_found() -> None:
    rng = np.random.default_rng(1)
    source = rng.normal(size=(200, 16)).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(16, 16)))[0].astype(np.float32)
    np.testing.assert_allclose(fit_rotation(source, source @ turn), turn, atol=1e-4)


def test_shared_tokens_follow_both_word_marks() -> None:
    vocab = {"phone": 0, "##s": 1, "s": 2, ",": 3, "手": 4, "[CLS]": 5}
    assert shared_token("▁phone", vocab) == 0
    assert shared_token("s", vocab) == 1
    assert shared_token("▁s", vocab) == 2
    assert shared_token(",", vocab) == 3
    assert shared_token("手", vocab) == 4
    assert shared_token("<s>", vocab) == 5
    assert shared_token("phone", vocab) is None


def test_shared_rows_are_the_targets_own_and_others_are_rotated() -> None:
    rng = np.random.default_rng(2)
    names = ["".join(word) for word in rng.choice(list("abcdefgh"), size=(60, 6))]
    target = rng.normal(size=(60, 8)).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0].astype(np.float32)
    source = (target @ turn.T).astype(np.float32)
    vocab = {name: row for row, name in enumerate(names[:50])}
    rows, shared = transplant_words(["▁" + name for name in names], source, target[:50], vocab)
    assert shared == 50
    np.testing.assert_array_equal(rows[:50], target[:50])
    cosine = (rows[50:] * target[50:]).sum(1) / np.linalg.norm(rows[50:], axis=1) / np.linalg.norm(target[50:], axis=1)
    assert cosine.min() > 0.9
