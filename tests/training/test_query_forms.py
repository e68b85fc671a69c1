"""Other forms of a query say the same thing."""

import random

import pytest

from training.query_forms import Slips, model_form, unit_form


@pytest.mark.parametrize(
    ("model", "forms"),
    [
        ("wh-1000xm5", {"wh1000xm5", "wh 1000xm5", "wh1000", "1000xm5"}),
        ("st940 lite", {"st940", "st 940", "st940lite"}),
        ("pavilion", {"pavilion"}),
    ],
)
def test_model_numbers_are_typed_in_part_and_with_other_joints(model: str, forms: set[str]) -> None:
    made = {model_form(model, random.Random(seed)) for seed in range(200)}
    assert forms <= made
    letters = model.replace("-", "").replace(" ", "")
    assert all(form.replace("-", "").replace(" ", "") in letters and len(form) > 2 for form in made)


@pytest.mark.parametrize(
    ("query", "forms"),
    [
        ('laptop 17"', {"laptop 17 inch", "laptop 17寸", "laptop 17 寸", 'laptop 17"'}),
        ("17寸 显示器", {"17 inch 显示器", '17" 显示器', "17英寸 显示器"}),
        ("bottle 1.5l", {"bottle 1500ml", "bottle 1.5升", "bottle 1.5 l"}),
        ("1500ml kettle", {"1.5l kettle", "1500毫升 kettle"}),
        ("256gb ssd", {"256g ssd", "256 gb ssd"}),
        ("炒锅 24厘米", {"炒锅 24cm", "炒锅 24 cm"}),
        ("3-person tent", {"3-person tent"}),
        ("size 42 shoes", {"size 42 shoes"}),
    ],
)
def test_sizes_are_written_in_other_units_and_scripts(query: str, forms: set[str]) -> None:
    assert forms <= {unit_form(query, random.Random(seed)) for seed in range(200)}


def test_what_has_no_unit_stays() -> None:
    assert {unit_form("inch worm 12 pack", random.Random(seed)) for seed in range(20)} == {"inch worm 12 pack"}


def test_chinese_slips_sound_alike_or_lose_or_swap_a_character() -> None:
    slips = Slips(["蓝牙耳机", "兰花", "基本"])
    made = {slips.slip("蓝牙耳机", random.Random(seed)) for seed in range(200)}
    assert {"兰牙耳机", "蓝牙耳基", "蓝牙机", "牙蓝耳机"} <= made
    assert all(len(set("蓝牙耳机") & set(slip)) >= 3 for slip in made)


def test_latin_slips_and_texts_too_short_for_one() -> None:
    slips = Slips(["耳机"])
    assert slips.slip("keyboard", random.Random(1)) != "keyboard"
    assert slips.slip("hp 15", random.Random(1)) == "hp 15"
    assert slips.slip("锅", random.Random(1)) == "锅"
