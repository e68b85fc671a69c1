"""Reads a large feed as `vitrine ingest` does, without sending it: what a row costs, and that memory stays flat.

`python -m loadtest.feeds --megabytes 2000` writes a Google Merchant Center feed of that size into a temporary folder,
and prints one line for each tenth of it. Rates are by processor time, so that they hold on a busy machine too.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from vitrine.feeds.opening import open_feed

_ITEM = """<item>
<g:id>SKU-{number}</g:id>
<g:title>Trail running shoe {number} &amp; laces 越野跑鞋</g:title>
<g:description><![CDATA[<p>Grippy &eacute;lan sole, <b>breathable</b> upper.</p><ul>{points}</ul>]]></g:description>
<g:link>https://shop.example/p/{number}?a=1&amp;b=2</g:link>
<g:image_link>https://img.example/{number}.jpg</g:image_link>
<g:availability>in stock</g:availability>
<g:price>{price}.90 EUR</g:price>
<g:brand>Norvik</g:brand>
<g:product_type>Shoes &gt; Running shoes</g:product_type>
<g:color>Black/Red</g:color>
</item>
"""
_POINT = "<li>Cushioned and light for long days in the hills.</li>\n"


def main() -> None:
    """Writes the feed, reads it and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100, help="size of the feed")
    parser.add_argument("--description-kilobytes", type=float, default=1.0, help="HTML in each description")
    asked = parser.parse_args()
    size = asked.megabytes * 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feed.xml"
        _write(path, size, _POINT * int(asked.description_kilobytes * 1_000 / len(_POINT)))
        feed = open_feed(path)
        print(
            "| read, MB | rows | rows/s of one processor | MB/s | peak memory, MB |\n|---|---|---|---|---|", flush=True
        )
        began_at_s, told = time.process_time(), 0
        for row in feed.source.rows():
            feed.product(row.values)
            if row.position * 10 // size > told:
                told = row.position * 10 // size
                took_s = time.process_time() - began_at_s
                memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
                read = row.position / 1e6
                rates = f"{row.number / took_s:,.0f} | {read / took_s:.1f}"
                print(f"| {read:,.0f} | {row.number:,} | {rates} | {memory:,.0f} |", flush=True)


def _write(path: Path, size: int, points: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0"?>\n<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>\n')
        number = 0
        while file.tell() < size:
            for _ in range(10):
                file.write(_ITEM.format(number=number, points=points, price=number % 500))
                number += 1
        file.write("</channel></rss>\n")


if __name__ == "__main__":
    main()
