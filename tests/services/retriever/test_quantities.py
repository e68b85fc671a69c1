"""Numbers with units, in base units."""

import pytest

from services.retriever.quantities import quantities
from vitrine.text import normalize_text


def _words(text: str) -> list[str]:
    return [quantity.word for quantity in quantities(normalize_text(text))]


@pytest.mark.parametrize(
    ("texts", "word"),
    [
        (("17 inch", "17寸", "17英寸", "17-inch", '17"', "17″", "１７寸"), "17inch"),
        (("1.5L", "1.5 l", "1500ml", "1,5 L", "1500 毫升", "1.5升", "1,500 ml"), "1500ml"),
        (("2kg", "2000 g", "2公斤", "2000克"), "2000g"),
        (("1TB", "1000 GB"), "1000000mb"),
        (("0.5 m", "50cm", "500 毫米"), "500mm"),
        (("4800万像素", "48MP"), "48mp"),
        (("20Ah", "20000mAh", "20000毫安"), "20000mah"),
    ],
)
def test_one_amount_is_one_word_whatever_its_unit_is_called(texts: tuple[str, ...], word: str) -> None:
    assert {text: _words(text) for text in texts} == {text: [word] for text in texts}


@pytest.mark.parametrize("text", ["WH-1000XM5", "dv7-1211ea", "mp3", "5 lamps", "3 wheels", "iPhone 15", "17 in 1"])
def test_no_amount_is_read_out_of_other_words(text: str) -> None:
    assert _words(text) == []


def test_an_amount_says_where_it_stands() -> None:
    [found] = quantities("a 1.5 l kettle")
    assert (found.start, found.end, found.number) == (2, 7, "1.5")
