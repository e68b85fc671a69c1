"""The errors themselves; how they travel is in test_status."""

from vitrine.errors import FieldViolation, InvalidArgument, NotFound, invalid


def test_invalid_argument_says_every_field_and_fix() -> None:
    error = InvalidArgument(FieldViolation("title", "is empty"), FieldViolation("price", "is -1"))
    assert str(error) == error.message == "title: is empty; price: is -1"
    assert error.reason == "INVALID_ARGUMENT"


def test_within_prefixes_every_path_and_keeps_the_reason() -> None:
    error = invalid("title", "is empty", reason="EMPTY_TITLE").within("products[3]")
    assert error.violations == (FieldViolation("products[3].title", "is empty"),)
    assert error.reason == "EMPTY_TITLE"


def test_a_reason_of_its_own_replaces_the_default() -> None:
    assert NotFound("no such product").reason == "NOT_FOUND"
    assert NotFound("no such product", reason="PRODUCT_NOT_FOUND").reason == "PRODUCT_NOT_FOUND"
