"""HTML and entities as plain text."""

import pytest

from vitrine.plain_text import is_markup, plain_text
from vitrine.text import clean_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("AT&T, R&D: 5 < 6 > 4 <3", "AT&T, R&D: 5 < 6 > 4 <3"),
        ("<p>Nice <b>ph</b>one</p><ul><li>red<li>blue</ul>", "Nice phone red blue"),
        ("a<br>b<br/>c", "a b c"),
        ("<script>x()</script><style>p {}</style>seen<!-- not -->", "seen"),
        ("Caf&eacute; &#8211; &#x5B57;", "Café – 字"),
        ("&lt;p&gt;escaped twice &amp;amp; more&lt;/p&gt;", "escaped twice & more"),
        ("<p>broken <b>markup", "broken markup"),
        ("手机壳 <b>phone case</b> ケース", "手机壳 phone case ケース"),
    ],
)
def test_the_words_stay(text: str, plain: str) -> None:
    assert clean_text(plain_text(text)) == plain
    assert is_markup(text) == (text != plain)


def test_megabytes_of_markup_are_read_in_part() -> None:
    assert len(plain_text("<p>word</p>" * 1_000_000)) < 1_000_000
