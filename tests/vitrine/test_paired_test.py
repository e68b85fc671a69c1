"""The permutation test against what can be counted by hand."""

import pytest

from vitrine.paired_test import sign_flip_p_value


def test_four_equal_differences() -> None:
    """Of 16 ways to throw four coins, two give a mean as far from 0."""
    assert sign_flip_p_value([0.1] * 4) == pytest.approx(2 / 16, abs=0.01)


def test_no_difference_is_always_chance() -> None:
    assert sign_flip_p_value([0.0] * 9) == 1.0


def test_the_sign_does_not_matter_and_the_seed_decides_the_draw() -> None:
    differences = [0.3, 0.1, -0.05, 0.2, 0.15]
    assert sign_flip_p_value(differences) == sign_flip_p_value([-one for one in differences])
    assert sign_flip_p_value(differences, seed=1) == pytest.approx(sign_flip_p_value(differences), abs=0.02)
