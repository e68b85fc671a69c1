"""Targets: every file that Vitrine reads, from feeds of shops to manifests of its own."""

import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pyarrow
import pyarrow.parquet

from cli.ads.files import campaigns_of
from cli.events.batches import batched as batched_events
from cli.events.day_files import DayFiles
from cli.events.layouts import layout_of
from cli.release.queries import judged_queries
from gateway.auth.api_keys import KeyRing, read_keys
from gateway.auth.jwks import keys_of
from gateway.experiments.definitions import read_definitions
from services.retriever.rules import read_rules
from services.retriever.saved_views import SavedViews
from services.retriever.snapshots.databases import replaced_sqlite
from services.retriever.snapshots.manifest import NAME as SNAPSHOT
from services.retriever.snapshots.place import Place
from services.retriever.snapshots.restoring import newest_whole, restore_snapshot
from tests.fuzz import values
from tests.fuzz.target import Target, bent, refused
from vitrine.bundle import MANIFEST, load_bundle
from vitrine.errors import Unauthenticated
from vitrine.feeds.feed import Feed
from vitrine.feeds.opening import open_feed
from vitrine.mapping import load_mapping
from vitrine.messages.product import product_to_message
from vitrine.product import checked_product
from vitrine.recommender_bundle import load_recommender
from vitrine.rows import RowFile

_ROWS = 400


def _text(random: Random, right: object, share: float = 0.25) -> str:
    return values.text(random) if random.random() < share else str(right)


def _value(random: Random, right: object) -> Any:
    """A value for JSON, TOML or a cell: the right one, most often."""
    if random.random() < 0.8:
        return right
    return random.choice(
        (values.text(random), values.whole(random, -(2**63), 2**63 - 1), values.real(random), None, True, [], {},
         [right], {"a": right}, [[[]]], "\ud800", 10**400, "2026-02-30", *_TIMES)
    )  # fmt: skip


def _json(random: Random, content: Any) -> Any:
    """JSON with some values of another kind, some keys gone and some doubled under another name."""
    if isinstance(content, dict):
        kept = {key: _json(random, value) for key, value in content.items() if random.random() > 0.04}
        if random.random() < 0.05:
            kept[values.text(random)] = content
        return kept
    if isinstance(content, list):
        return [_json(random, value) for value in content for _ in range(random.choice((1, 1, 1, 1, 1, 1, 0, 2)))]
    return _value(random, content)


def _toml(random: Random, content: dict[str, Any]) -> str:
    """The content as TOML, bent as `_json` bends it."""

    def written(value: Any) -> str:
        match value:
            case bool() | None:
                return "true" if value else "false"
            case dict():
                return "{" + ", ".join(f"{json.dumps(key)} = {written(one)}" for key, one in value.items()) + "}"
            case list():
                return "[" + ", ".join(map(written, value)) + "]"
            case str() if value.startswith("@"):
                return value[1:]
            case _:
                return json.dumps(value)

    return "\n".join(f"{json.dumps(key)} = {written(value)}" for key, value in _json(random, content).items())


def _table(random: Random, rows: list[dict[str, object]], delimiter: str = ",") -> str:
    columns = [_text(random, name, 0.02) for name in rows[0]]
    lines = [delimiter.join(columns)]
    for row in rows:
        cells = [_text(random, value).replace('"', '""') for value in row.values()]
        if random.random() < 0.03:
            cells.append("more")
        lines.append(delimiter.join(f'"{cell}"' if random.random() < 0.97 else cell for cell in cells))
    return random.choice(("\n", "\r\n")).join(lines)


def _encoded(random: Random, text: str) -> bytes:
    encoding = random.choice(("utf-8",) * 8 + ("utf-16", "gb18030", "utf-8-sig", "big5", "latin-1", "utf-32"))
    data = text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")
    return bent(random, data) if random.random() < 0.3 else data


_PRICES = [
    "19.99",
    "1.299,00 €",
    "¥1,299",
    "EUR 5",
    "5",
    "",
    "-1",
    "1e999",
    "NaN",
    "free",
    "１９",
    "12.345.678,9",
    "$ 1",
]
_TIMES = ["2026-11-26T08:00:00Z", "2026-11-26", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "yesterday",
          "1700000000", "1e300", "-99999999999999999"]  # fmt: skip


def _fields(random: Random) -> dict[str, object]:
    """A product by the catalogue's own names."""
    return {
        "id": random.choice(values.PRODUCT_IDS),
        "title": values.text(random),
        "brand": "Norvik",
        "description": random.choice(("<p>good</p>", "<![CDATA[x]]>", "good &amp; strong", values.text(random))),
        "price": random.choice(_PRICES),
        "availability": random.choice(("in stock", "IN_STOCK", "out_of_stock", "preorder", "maybe")),
        "link": "https://shop/p1",
        "image_link": "https://shop/p1.jpg",
        "gtin": "4006381333931",
        "update_time": random.choice(_TIMES),
        "categories": random.choice(("Home > Audio", "Home|Audio", "[1, 2]", "")),
        "sale_price": random.choice(_PRICES),
    }


def _merchant_xml(random: Random, atom: bool = False) -> bytes:
    names = {"id": "g:id", "price": "g:price", "image_link": "g:image_link", "gtin": "g:gtin",
             "sale_price": "g:sale_price", "availability": "g:availability", "brand": "g:brand"}  # fmt: skip

    def item() -> str:
        inner = "".join(
            f"<{names.get(name, name)}>{_escaped(random, str(value))}</{names.get(name, name)}>"
            for name, value in _fields(random).items()
            if random.random() > 0.05
        )
        inner += random.choice(("", "", "<g:shipping><g:country>DE</g:country><g:price>1 EUR</g:price></g:shipping>"))
        return f"<{'entry' if atom else 'item'}>{inner}</{'entry' if atom else 'item'}>"

    items = "".join(item() for _ in range(random.choice((0, 1, 2, 3))))
    head = random.choice(('<?xml version="1.0"?>', "", '<?xml version="1.0" encoding="gb2312"?>', _ENTITIES))
    space = 'xmlns:g="http://base.google.com/ns/1.0"'
    body = f'<feed xmlns="http://www.w3.org/2005/Atom" {space}>{items}</feed>' if atom else (
        f'<rss version="2.0" {space}><channel><title>Shop</title>{items}</channel></rss>'
    )  # fmt: skip
    return _encoded(random, head + body)


_ENTITIES = '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'


def _escaped(random: Random, text: str) -> str:
    if random.random() < 0.1:
        return random.choice(
            ("&a;", "&b;", "&c;", "&#0;", "&#xD800;", "&nbsp;", f"<![CDATA[{text}]]>", "<b>", "</item>")
        )
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _merchant_table(random: Random) -> bytes:
    return _encoded(random, _table(random, [_fields(random) for _ in range(3)], "\t"))


def _shopify(random: Random) -> bytes:
    rows: list[dict[str, object]] = [
        {
            "Handle": random.choice(("lamp", "lamp", "watch", "")),
            "Title": values.text(random),
            "Body (HTML)": random.choice(("<p>good</p>", "<" * 50, values.text(random))),
            "Vendor": "Norvik",
            "Type": "Lamp",
            "Tags": "a, b,,",
            "Published": random.choice(("true", "false", "")),
            "Option1 Name": "Size",
            "Option1 Value": random.choice(("XL", "Default Title", "")),
            "Variant SKU": random.choice(("s1", "")),
            "Variant Price": random.choice(_PRICES),
            "Variant Compare At Price": random.choice(_PRICES),
            "Variant Inventory Qty": random.choice(("1", "0", "-3", "many", "1e400")),
            "Variant Inventory Policy": random.choice(("deny", "continue")),
            "Image Src": "https://shop/1.jpg",
            "Status": random.choice(("active", "draft", "archived")),
        }
        for _ in range(4)
    ]
    return _encoded(random, _table(random, rows))


def _woocommerce(random: Random) -> bytes:
    rows: list[dict[str, object]] = [
        {
            "ID": random.choice(("1", "2", "x")),
            "Type": random.choice(("simple", "variable", "variation", "grouped", "")),
            "SKU": random.choice(("s1", "")),
            "Name": values.text(random),
            "Published": random.choice(("1", "0", "-1")),
            "Description": values.text(random),
            "In stock?": random.choice(("1", "0", "backorder")),
            "Sale price": random.choice(_PRICES),
            "Regular price": random.choice(_PRICES),
            "Categories": "Home > Audio, Home",
            "Images": "https://shop/1.jpg, https://shop/2.jpg",
            "Parent": random.choice(("", "s1", "id:1", "id:9", "id:x")),
            "Attribute 1 name": "Size",
            "Attribute 1 value(s)": "S, M",
        }
        for _ in range(4)
    ]
    return _encoded(random, _table(random, rows))


def _schema_object(random: Random) -> Any:
    offer = {"@type": "Offer", "price": random.choice(_PRICES), "priceCurrency": "EUR",
             "availability": "https://schema.org/InStock"}  # fmt: skip
    thing = {
        "@context": "https://schema.org",
        "@type": random.choice(("Product", ["Product"], "ProductGroup")),
        "sku": random.choice(values.PRODUCT_IDS),
        "name": values.text(random),
        "brand": {"@type": "Brand", "name": "Norvik"},
        "description": "good",
        "image": ["https://shop/1.jpg", {"url": "https://shop/2.jpg"}],
        "offers": random.choice((offer, [offer, offer], {"@type": "AggregateOffer", "lowPrice": 1, "offers": [offer]})),
        "aggregateRating": {"ratingValue": 4.5},
        "additionalProperty": [{"@type": "PropertyValue", "name": "size", "value": "XL"}],
        "hasVariant": [{"@type": "Product", "sku": "p2", "name": "x", "offers": offer}],
        "dateModified": random.choice(_TIMES),
    }
    return _json(random, random.choice((thing, {"@graph": [thing, thing]}, [thing])))


def _schema_page(random: Random) -> bytes:
    script = f'<script type="application/ld+json">{json.dumps(_schema_object(random))}</script>'
    return _encoded(
        random, f"<!doctype html><html><head>{script * random.choice((1, 2))}</head><body><p>x</body></html>"
    )


def _schema_json(random: Random) -> bytes:
    return _encoded(random, json.dumps(_schema_object(random), indent=random.choice((None, 1)), ensure_ascii=False))


def _json_lines(random: Random, make: Callable[[Random], Any]) -> bytes:
    lines = [json.dumps(_json(random, make(random)), ensure_ascii=random.random() < 0.5) for _ in range(3)]
    return _encoded(random, "\n".join(lines))


def _parquet(random: Random, make: Callable[[Random], dict[str, Any]]) -> bytes:
    rows = [make(random) for _ in range(3)]
    columns: dict[str, Any] = {}
    for name in rows[0]:
        cells = [row[name] for row in rows]
        kind = random.choice((None,) * 6 + ("int", "list", "bytes", "time", "float"))
        if kind is not None:
            cells = [{"int": 2**62, "list": [None, 1.5], "bytes": b"\xff", "time": datetime(1, 1, 1, tzinfo=UTC),
                      "float": values.real(random)}[kind]] * 3  # fmt: skip
        try:
            columns[name] = pyarrow.array(cells)
        except (pyarrow.ArrowException, UnicodeEncodeError):
            columns[name] = pyarrow.array(["x"] * 3)
    buffer = BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), buffer)
    data = buffer.getvalue()
    return bent(random, data) if random.random() < 0.3 else data


def _ga4(random: Random) -> dict[str, Any]:
    return {
        "event_name": random.choice(("view_item", "purchase", "search", "add_to_cart", "view_item_list", "scroll", "")),
        "event_timestamp": random.choice(("1700000000000000", 1_700_000_000_000_000, "x", 1e300, 10**30)),
        "user_pseudo_id": "v1",
        "event_params": [{"key": "search_term", "value": {"string_value": values.query(random)}},
                         {"key": "ga_session_id", "value": {"int_value": "1"}},
                         {"key": "transaction_id", "value": {"string_value": "t1"}}],
        "items": [{"item_id": "p001", "quantity": random.choice((1, "2", 1e400, -1)), "price": "9.5"}],
        "ecommerce": {"transaction_id": "t1"},
        "geo": {"country": "Germany"},
    }  # fmt: skip


def _ubi(random: Random) -> dict[str, Any]:
    return {
        "action_name": random.choice(("click", "on_search", "purchase", "view", "", "scroll")),
        "client_id": "v1",
        "query_id": "q1",
        "user_query": values.query(random),
        "timestamp": random.choice((*_TIMES, 1_700_000_000_000)),
        "application": "shop",
        "message_type": "QUERY",
        "query_response_object_ids": ["p001", "p002"],
        "event_attributes": {"object": {"object_id": "p001", "object_detail": {"price": random.choice((1, "x"))}},
                             "position": {"ordinal": random.choice((0, 1, -5, 10**30))}},
    }  # fmt: skip


def _native_event(random: Random) -> dict[str, Any]:
    return {
        "event_type": random.choice(("view_item", "purchase", "view", "x")),
        "visitor_id": "v1",
        "event_time": random.choice(_TIMES),
        "query": values.query(random),
        "product_ids": random.choice((["p001", "p002"], "p001|p002", "")),
        "quantities": random.choice(([1, 2], "1|2", "1e400|inf")),
        "prices": random.choice(([1.5, 2], "1|x")),
        "currency_code": "EUR",
        "transaction_id": "t1",
    }


def _campaign(random: Random) -> dict[str, Any]:
    return {
        "id": "c1", "dailyBudget": 10.5, "currencyCode": "EUR", "maxBid": 1, "startTime": random.choice(_TIMES),
        "products": [{"productId": "p001", "bid": random.choice((0.5, "NaN", 1e300))}], "paused": False,
    }  # fmt: skip


def _rules(random: Random) -> bytes:
    rule = {
        "queries": [values.query(random)],
        "match": "part",
        "pins": ["p001"],
        "blocks": ["p002"],
        "blocks_where": values.filter_expression(random),
        "starts": "@2026-11-20",
        "ends": "@2026-11-21T00:00:00+08:00",
    }
    content = {"synonyms": [{"same": ["red", values.query(random)]}, {"word": "watch", "also": ["智能手表"]}],
               "rules": [rule, rule]}  # fmt: skip
    return _encoded(random, _toml(random, content))


def _experiments(random: Random) -> bytes:
    arms = [{"name": "a", "weight": 1.0, "settings": {"rank_depth": 10}}, {"name": "b", "weight": values.real(random)}]
    one = {"placements": ["search", "home"], "traffic": 0.5, "salt": "s", "arms": arms, "interleave": False,
           "starts": "@2026-11-20"}  # fmt: skip
    return _encoded(random, _toml(random, {"experiments": {"varied": one, _text(random, "other"): one}}))


def _mapping(random: Random) -> bytes:
    fields = {"id": "sku", "title": {"columns": ["a", "b"]}, "price": {"column": "p", "scale": values.real(random)},
              "categories": {"column": "c", "split": ">"}, "language": {"value": "en"}}  # fmt: skip
    attributes = {"column": "more", "prefixes": ["a_"], "columns": {"x": "y"}, "drop_oversized": True}
    return _encoded(random, _toml(random, {"fields": fields, "attributes": attributes}))


def _keys(random: Random) -> bytes:
    key = {"name": "shop", "id": "0123456789abcdef", "sha256": "0" * 64, "scopes": ["search"], "rate_per_s": 5.0,
           "create_time": "2026-11-26T00:00:00Z", "expire_time": random.choice(_TIMES)}  # fmt: skip
    return _encoded(random, json.dumps(_json(random, {"keys": [key, {**key, "name": "b", "id": "f" * 16}]})))


def _jwks(random: Random) -> bytes:
    ec = {"kty": "EC", "crv": "P-256", "kid": "a", "alg": "ES256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
          "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}  # fmt: skip
    keys = [ec, {"kty": "RSA", "kid": "b", "n": "AQAB", "e": "AQAB"}, {"kty": "oct", "k": "AAAA"},
            {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]  # fmt: skip
    return _encoded(random, json.dumps(_json(random, {"keys": random.sample(keys, 2)})))


def _bundle(random: Random, kind: str) -> bytes:
    content: dict[str, Any] = {"format": 1, "kind": kind, "name": "tiny", "version": "1", "digest": "sha256:0",
                               "files": {_text(random, "model.onnx"): "0" * 64}, "dim": 32, "licence": "x",
                               "self_test": {}}  # fmt: skip
    if kind == "recommender":
        content |= {"text_dim": 32, "embedder_digest": "sha256:1", "max_history": 10, "fusion": None}
    else:
        content |= {"max_tokens": 128, "languages": ["en"], "prompts": {"query": "query: "},
                    "calibration": {"scale": 1.0, "bias": 0.0, "evidence": {"logit": 1.0}}}  # fmt: skip
    return _encoded(random, json.dumps(_json(random, content)))


def _snapshot(random: Random) -> bytes:
    from services.retriever.tables import FORMAT

    name = random.choice(("version-00000.parquet", "../x", "/etc/passwd", "a\0b", "", "x" * 300))
    content = {"format": 1, "catalogue_format": FORMAT, "catalogue_id": "c", "create_time": "2026-11-26T00:00:00Z",
               "revision": 1, "products": 1, "model_digest": "", "dim": 0, "update_time_s": None, "next_row": 1,
               "files": [{"name": name, "table": "version", "rows": 0, "bytes": 0, "sha256": _EMPTY}]}  # fmt: skip
    return _encoded(random, json.dumps(_json(random, content)))


_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def _saved_views(random: Random) -> bytes:
    from services.retriever.saved_views import FORMAT

    block = {"file": random.choice(("columns.bin", "../x", "a\0")), "name": "rows", "kind": "array", "dtype": "<i8",
             "width": [], "count": 1, "offset": 0, "size": 8, "crc": 0}  # fmt: skip
    state = {"catalogue_id": "c", "revision": 1, "model_digest": "", "dim": 0, "update_time_s": None, "next_row": 1,
             "purged_revision": 0}  # fmt: skip
    content = {"format": FORMAT, "state": state, "storage": "float32", "words": "w", "blocks": [block]}
    body = json.dumps(_json(random, content)).encode()
    # With the right checksum: what is behind it is read too.
    return b"%08x\n" % zlib.crc32(body) + body


class Files:
    """Readers of one file after the other, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def targets(self) -> list[Target]:
        """One for each format."""
        return [
            Target("feed: Merchant Center RSS", _merchant_xml, self._reads("feed.xml", _feed)),
            Target("feed: Merchant Center Atom", partial(_merchant_xml, atom=True), self._reads("feed.xml", _feed)),
            Target("feed: Merchant Center TSV", _merchant_table, self._reads("feed.tsv", _feed)),
            Target("feed: Shopify", _shopify, self._reads("feed.csv", _feed)),
            Target("feed: WooCommerce", _woocommerce, self._reads("feed.csv", _feed)),
            Target("feed: schema.org page", _schema_page, self._reads("page.html", _feed)),
            Target("feed: schema.org JSON", _schema_json, self._reads("feed.json", _feed)),
            Target("feed: CSV", lambda r: _encoded(r, _table(r, [_fields(r)] * 2)), self._reads("feed.csv", _feed)),
            Target("feed: JSON lines", partial(_json_lines, make=_fields), self._reads("feed.jsonl", _feed)),
            Target("feed: Parquet", partial(_parquet, make=_fields), self._reads("feed.parquet", _feed)),
            Target("events: GA4", partial(_json_lines, make=_ga4), self._reads("events.jsonl", _events("ga4"))),
            Target("events: UBI", partial(_json_lines, make=_ubi), self._reads("events.ndjson", _events("ubi"))),
            Target(
                "events: JSON", partial(_json_lines, make=_native_event), self._reads("e.jsonl", _events("vitrine"))
            ),
            Target(
                "events: Parquet", partial(_parquet, make=_native_event), self._reads("e.parquet", _events("vitrine"))
            ),
            Target(
                "events: progress", lambda r: _encoded(r, json.dumps(_json(r, {"page_token": "a"}))), self._progress
            ),
            Target("campaigns", partial(_json_lines, make=_campaign), self._reads("ads.jsonl", campaigns_of)),
            Target(
                "judged queries",
                partial(_json_lines, make=lambda r: {"query": values.query(r), "product_id": "p1", "grade": "1"}),
                self._reads("judged.jsonl", judged_queries),
            ),
            Target("rules and synonyms", _rules, self._reads("rules.toml", _ruled)),
            Target("experiments", _experiments, self._reads("experiments.toml", read_definitions)),
            Target("mapping", _mapping, self._reads("mapping.toml", load_mapping)),
            Target("keys", _keys, self._reads("keys.json", _key_ring)),
            Target("JWKS", _jwks, lambda data: refused(lambda: keys_of(data, frozenset({"ES256", "RS256"}), "jwks"))),
            Target("bundle: embedder", partial(_bundle, kind="embedder"), self._bundle("embedder")),
            Target("bundle: ranker", partial(_bundle, kind="ranker"), self._bundle("ranker")),
            Target("bundle: recommender", partial(_bundle, kind="recommender"), self._bundle("recommender")),
            Target("snapshot", _snapshot, self._restored),
            Target("saved views", _saved_views, self._saved),
        ]

    def _reads(self, name: str, read: Callable[[Path], object]) -> Callable[[bytes], None]:
        def run(data: bytes) -> None:
            path = self._folder / name
            path.write_bytes(data)
            refused(lambda: read(path))

        return run

    def _progress(self, data: bytes) -> None:
        (self._folder / "_progress.json").write_bytes(data)
        refused(DayFiles(self._folder).progress)

    def _bundle(self, kind: Any) -> Callable[[bytes], None]:
        folder = self._folder / kind
        folder.mkdir()
        (folder / "model.onnx").write_bytes(b"")

        def run(data: bytes) -> None:
            (folder / MANIFEST).write_bytes(data)
            refused(lambda: load_recommender(folder) if kind == "recommender" else load_bundle(folder, kind))

        return run

    def _restored(self, data: bytes) -> None:
        place = Place(str(self._folder / "snapshot"))
        place.write(SNAPSHOT, data)
        place.write("version-00000.parquet", b"")

        def restore() -> None:
            snapshot, manifest = newest_whole(place, skipped=lambda *_: None)
            folder = self._folder / "restored"
            folder.mkdir(exist_ok=True)
            with replaced_sqlite(folder, replace=True) as connection:
                restore_snapshot(connection, snapshot, manifest, moved=lambda *_: None)

        refused(restore)

    def _saved(self, data: bytes) -> None:
        folder = self._folder / "views"
        folder.mkdir(exist_ok=True)
        (folder / "manifest.json").write_bytes(data)
        (folder / "columns.bin").write_bytes(bytes(8))
        views = SavedViews(folder)

        def read() -> None:
            if (manifest := views.manifest("c")) is not None:
                for block in manifest.blocks:
                    list(views._pieces(block))

        refused(read)


def _feed(path: Path) -> None:
    """Reads a feed as ingest does, to messages."""
    feed = open_feed(path, currency_code="EUR")
    for row, _ in zip(feed.source.rows(), range(_ROWS), strict=False):
        feed.id_of(row.values).encode("utf-8", "backslashreplace")
        if not row.fault:
            refused(partial(_sent, feed, row.values))
            refused(partial(feed.offer, row.values))


def _sent(feed: Feed, values: dict[str, Any]) -> None:
    if (product := feed.product(values)) is not None:
        product_to_message(checked_product(product)).SerializeToString()


def _events(layout: str) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        for batch in batched_events(RowFile(path).rows(), layout_of(layout, path)):
            batch.request.SerializeToString()
            for refusal in batch.refusals:
                json.dumps(str(refusal))

    return read


def _ruled(path: Path) -> None:
    rules = read_rules(path)
    for query in ("red watch", "智能手表 red"):
        rules.ruling(query, datetime.now(UTC))
        rules.synonyms.of(query)


def _key_ring(path: Path) -> None:
    ring = KeyRing(read_keys(path), rate_per_s=1.0, burst_s=2.0)
    for key in ("vtr_0123456789abcdef_x", "vtr_", ""):
        try:
            ring.principal_of(key)
        except Unauthenticated:
            continue
