"""Feeds through the whole suite: what the catalogue keeps is what a second reading of the feed compares with."""

from pathlib import Path
from typing import Any

from cli.ingest.offers import OfferIngest
from cli.ingest.run import Ingest, Summary
from cli.ingest.settings import IngestSettings
from vitrine.v1 import catalog_service_pb2 as catalog_pb

ITEM = """<item><g:id>x{n}</g:id><g:title>Copper kettle {n} 铜壶 &amp; lid</g:title>
<g:description><![CDATA[<p>Caf&eacute;   style, {n}.</p>]]></g:description><g:price>{price} €</g:price>
<g:sale_price>1,{n} €</g:sale_price><g:color>Red/Blue</g:color><g:availability>preorder</g:availability>
<g:image_link>https://i.example/{n}.jpg?a=1&b=2</g:image_link><g:product_type>Kitchen&gt;Kettles</g:product_type></item>"""


def feed_of(numbers: range, price: str = "1.299,00") -> str:
    return "<rss><channel>" + "".join(ITEM.format(n=n, price=price) for n in numbers) + "</channel></rss>"


async def test_a_second_reading_sends_nothing_and_prices_need_no_embedder(
    suite: Any, start_server: Any, tmp_path: Path
) -> None:
    server = await start_server(suite.gateway.add_to, self_test=suite.gateway.self_test)
    settings = IngestSettings(target=f"127.0.0.1:{server.port}", state_dir=tmp_path / "state", give_up_s=60)
    path = tmp_path / "feed.xml"

    async def synced(content: str) -> Summary:
        path.write_text(content, encoding="utf-8")
        return await Ingest(path, None, settings, sync=True).run(lambda *_: None, lambda *_: None)

    async def read(product_id: str) -> Any:
        return (await suite.catalog.GetProduct(catalog_pb.GetProductRequest(id=product_id), timeout=30)).product

    first = await synced(feed_of(range(20)))
    assert (first.accepted, first.refused) == (20, 0)
    again = await synced(feed_of(range(20)))
    assert (again.accepted, again.unchanged) == (0, 20)
    await suite.stop("embedder")
    dearer = await synced(feed_of(range(2, 20), price="1.399,00"))
    assert (dearer.accepted, dearer.gone.deleted) == (18, 2)
    assert (await read("x3")).original_price == 1_399.0
    prices = tmp_path / "prices.csv"
    prices.write_text("sku;price;stock\nx3;2,50 €;0\n", encoding="cp1252")
    offers = await OfferIngest(prices, None, settings).run(lambda *_: None, lambda *_: None)
    assert (offers.accepted, offers.refused) == (1, 0)
    assert (await read("x3")).price == 2.5
    mended = await synced(feed_of(range(2, 20), price="1.399,00"))
    assert (mended.accepted, mended.unchanged) == (1, 17)
    await server.stop(0)
