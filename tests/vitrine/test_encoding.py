"""Encodings of feeds, by what the files hold."""

import io

import pytest

from vitrine.encoding import detected_encoding

GERMAN = "".join(f"{n};Kaffeemühle Größe {n} für Espresso „neu“;12,9{n} €\n" for n in range(30))
CHINESE = "".join(f"{n},蓝牙耳机 无线降噪 {n} Bluetooth,¥1{n}\n" for n in range(30))


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("id,title\n1,Mug\n", "ascii", "utf-8-sig"),
        (CHINESE, "utf-8", "utf-8-sig"),
        (CHINESE, "utf-8-sig", "utf-8-sig"),
        (CHINESE, "utf-16", "utf-16"),
        (CHINESE, "gb18030", "gb18030"),
        (GERMAN, "cp1252", "cp1252"),
        ("1,手机\n", "gb18030", "gb18030"),
        ("1,Café\n", "cp1252", "cp1252"),
        ("1,5 €\n" * 1_000, "cp1252", "cp1252"),
        ("1,红色手机壳 保护套\n" * 200, "gb18030", "gb18030"),
        ("1,ワイヤレスイヤホン 東京\n", "cp932", "cp932"),
        ("1,藍牙耳機 無線降噪 手機配件\n2,產品描述 這是一款非常好的耳機\n", "big5hkscs", "big5hkscs"),
        ("1,무선 이어폰 블루투스 헤드폰 정품 케이스\n" * 30, "cp949", "cp949"),
        ("1,Беспроводные наушники с шумоподавлением\n", "cp1251", "cp1251"),
        ("x" * 3_000_000 + "\n" + GERMAN, "cp1252", "cp1252"),
        ('<?xml version="1.0" encoding="GB2312"?><a>形同陌路</a>', "gb18030", "gb18030"),
        ('<meta charset="iso-8859-1"><p>façade à São', "cp1252", "cp1252"),
    ],
)
def test_the_encoding_is_found(text: str, encoding: str, found: str) -> None:
    assert detected_encoding(io.BytesIO(text.encode(encoding))) == found


def test_a_few_broken_bytes_do_not_make_utf_8_another_encoding() -> None:
    assert detected_encoding(io.BytesIO(CHINESE.encode() + b"31,\xff\xfe,\xb5\n")) == "utf-8-sig"


def test_a_declared_name_that_does_not_hold_is_not_believed() -> None:
    text = '<?xml version="1.0" encoding="UTF-8"?><a>' + GERMAN + "</a>"
    assert detected_encoding(io.BytesIO(text.encode("cp1252"))) == "cp1252"
