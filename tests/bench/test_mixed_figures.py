"""What came in beside a load."""

from bench.mixed_figures import products_per_s


def test_products_that_come_in_after_the_load_are_no_part_of_what_came_in_beside_it() -> None:
    answers = [(10.2, 32), (10.9, 32), (14.9, 32), *[(15.0 + writer / 8, 32) for writer in range(6)]]
    assert products_per_s(answers, 10.5, 15.0) == 2 * 32 / 4.5
