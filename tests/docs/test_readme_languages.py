"""The README says the same in both languages."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))

# What stays as it is in any language; links but for those to each other.
ALIKE = {
    "levels of headings": r"^#+(?= )",
    "blocks of commands": r"^ {4}\S.*$",
    "code": r"`[^`]+`",
    "links and pictures": r"\]\(((?!README)[^)]+)\)",
    "rows of tables": r"^\|(?=[^-])",
    "items of lists": r"^(?:- |\d\. )",
    "figures": r"\d[\d,.]*(?<![,.])",
}


@pytest.mark.parametrize("what", ALIKE)
def test_both_have_the_same(what: str) -> None:
    pattern = re.compile(ALIKE[what], re.MULTILINE)
    # Each shows the page in its own language.
    english, chinese = (
        Counter(pattern.findall(text)) for text in (ENGLISH, CHINESE.replace("-zh-light.png", "-en-light.png"))
    )
    assert english, what
    assert (english - chinese, chinese - english) == (Counter(), Counter())
