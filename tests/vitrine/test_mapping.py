"""Mapping files."""

from pathlib import Path

import pytest

from vitrine.errors import InvalidArgument
from vitrine.mapping import load_mapping

FIELDS = '[fields]\nid = "id"\ntitle = "title"\n'


def test_what_ships_can_be_named() -> None:
    assert load_mapping(None) == load_mapping(Path("native"))
    assert load_mapping(Path("icecat")).fields.price is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fields", "is not TOML"),
        ('[fields]\nid = "id"\n', "fields.title: Field required"),
        (FIELDS + 'titel = "name"\n', "fields.titel: Extra inputs"),
        (FIELDS + 'price = { column = "p", scale = 0 }\n', "fields.price.scale"),
        (FIELDS + "price = { scale = 2 }\n", "give either column"),
        (FIELDS + 'brand = { column = "b", value = "B" }\n', "give either column"),
        (FIELDS + 'brand = { colum = "b" }\n', "fields.brand.colum"),
        (FIELDS + '[attributes]\nprefix = "attr_"\n', "attributes.prefix"),
    ],
)
def test_a_wrong_mapping_names_the_entry(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    with pytest.raises(InvalidArgument, match=message):
        load_mapping(path)


def test_a_name_that_does_not_ship_lists_those_that_do() -> None:
    with pytest.raises(InvalidArgument, match="icecat, native"):
        load_mapping(Path("icekat"))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidArgument, match=r"there is no file gone\.toml"):
        load_mapping(Path("gone.toml"))
