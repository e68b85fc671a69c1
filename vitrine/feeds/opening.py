"""Opens a feed, and recognises what kind it is by what it holds, whatever its name says."""

import csv
import json
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from vitrine.encoding import detected_encoding, is_text_encoding
from vitrine.errors import invalid
from vitrine.feeds.columns import table_mapping
from vitrine.feeds.feed import Feed, Native, RowSource, native_mapping
from vitrine.feeds.merchant_center import column_name, merchant_center_row
from vitrine.feeds.schema_org import document_objects, is_schema_org, page_products, schema_org_row
from vitrine.feeds.shopify import ShopifyProducts, is_shopify, shopify_row
from vitrine.feeds.woocommerce import WooCommerceProducts, is_woocommerce, woocommerce_row
from vitrine.feeds.xml_items import XmlItems
from vitrine.mapping import Mapping, load_mapping
from vitrine.product_row import ProductRows
from vitrine.rows import RowFile, opened

_HEAD_BYTES = 1 << 17
# Bytes that text has none of, and the share of them from which on it is none.
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b")
_MOST_CONTROLS = 0.02
_DELIMITERS = ("\t", ",", ";", "|")
_XML_FEED = re.compile(r"<(?:rss|feed|channel|rdf:RDF)[\s>]", re.IGNORECASE)
_PAGE = re.compile(r"<(?:!doctype\s+html|html|head|body|script|meta)[\s>]", re.IGNORECASE)
_NO_CURRENCY = "names no currency: say which with --currency, for example --currency EUR"
# Rows of JSON lines and Parquet whose names are looked at: not every row has every field.
_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class _Head:
    """The beginning of a file, unpacked, and its text as far as it goes."""

    path: Path
    data: bytes
    encoding: str

    @property
    def text(self) -> str:
        return self.data.decode(self.encoding, "replace").lstrip("\ufeff \t\r\n")


def open_feed(
    path: Path,
    mapping: Path | None = None,
    *,
    currency_code: str = "",
    encoding: str = "",
    is_offers: bool = False,
) -> Feed:
    """The feed in a file. A mapping says itself which columns are which; without one the kind is recognised.

    Of `is_offers` only ids, prices and availability are wanted, and a plain table need not have more.
    `currency_code` is that of prices that name none, `encoding` that of text where it is not what it seems.
    Raises InvalidArgument where it is no feed that is known, saying what to do.
    """
    if not path.is_file():
        raise invalid("PATH", f"there is no file {path}")
    head = _head(path, encoding)
    if mapping is not None:
        kind, source, fields = _mapped(head), _table(head), load_mapping(mapping)
        return _feed(kind, head, source, fields, currency_code, None)
    if head.data.startswith(b"PAR1"):
        return _plain("Parquet", head, RowFile(path, ending=".parquet"), currency_code, is_offers)
    if head.text.startswith("<"):
        return _markup(head, currency_code)
    if head.text.startswith(("{", "[")):
        return _json(head, currency_code, is_offers)
    return _delimited(head, currency_code, is_offers)


def _head(path: Path, encoding: str) -> _Head:
    try:
        with path.open("rb") as raw, opened(raw, "utf-8") as file:
            data = file.read(_HEAD_BYTES)
        if not encoding and not data.startswith(b"PAR1"):
            with path.open("rb") as raw, opened(raw, "utf-8") as file:
                encoding = detected_encoding(file)
    except (OSError, EOFError, zlib.error) as error:
        raise invalid("PATH", f"{path} cannot be read: {error}") from error
    if encoding and not is_text_encoding(encoding):
        raise invalid("--encoding", f"{encoding!r} is no encoding that is known; give for example gb18030")
    if not data.strip():
        raise invalid("PATH", f"{path} is empty")
    if _is_binary(data) and not encoding.startswith(("utf-16", "utf-32")) and not data.startswith(b"PAR1"):
        raise invalid("PATH", f"{path.name} is no text: give a feed as CSV, TSV, XML, HTML, JSON lines or Parquet")
    return _Head(path, data, encoding or "utf-8-sig")


def _is_binary(data: bytes) -> bool:
    """Whether it is no text: that has none of these bytes, but for a stray one in a damaged row."""
    return b"\0" in data and len(data) - len(data.translate(None, _CONTROLS)) > _MOST_CONTROLS * len(data)


def _feed(
    kind: str, head: _Head, source: RowSource, mapping: Mapping, currency_code: str, native: Native | None,
    mended: Counter[str] | None = None,
) -> Feed:  # fmt: skip
    products = ProductRows(mapping, currency_code, mended)
    if head.encoding not in ("utf-8-sig", "utf-8"):
        kind = f"{kind} in {head.encoding}"
    # In ASCII: a column's name may hold half of a surrogate pair.
    layout = "\n".join((kind, json.dumps(mapping.model_dump(mode="json")), currency_code))
    return Feed(kind, source, products, layout, native)


def _markup(head: _Head, currency_code: str) -> Feed:
    mended: Counter[str] = Counter()
    if found := _XML_FEED.search(head.text):
        kind = "Google Merchant Center Atom" if found[0].lower().startswith("<feed") else "Google Merchant Center RSS"
        items = XmlItems(head.path, head.encoding, mended)
        return _feed(kind, head, items, native_mapping(), currency_code, merchant_center_row, mended)
    if _PAGE.search(head.text):
        page = page_products(head.path, head.encoding, mended)
        return _feed("schema.org page", head, page, native_mapping(), currency_code, schema_org_row, mended)
    raise invalid("PATH", f"{head.path.name} is neither an RSS or Atom feed nor a page: it begins {head.text[:40]!r}")


def _json(head: _Head, currency_code: str, is_offers: bool) -> Feed:
    """One object on each line, or one document: a list, or an object over several lines."""
    lines = RowFile(head.path, ending=".jsonl", encoding=head.encoding)
    first = next(lines.rows(), None)
    if head.text.startswith("{") and first is not None and not first.fault:
        if any(is_schema_org(row.values) for row, _ in zip(lines.rows(), range(_LOOKED_AT), strict=False)):
            return _feed("schema.org JSON lines", head, lines, native_mapping(), currency_code, schema_org_row)
        return _plain("JSON lines", head, lines, currency_code, is_offers)
    mended: Counter[str] = Counter()
    document = document_objects(head.path, head.encoding, mended)
    if any(is_schema_org(row.values) for row in document.rows()):
        return _feed("schema.org document", head, document, native_mapping(), currency_code, schema_org_row, mended)
    return _plain("JSON list", head, document, currency_code, is_offers)


def _plain(kind: str, head: _Head, source: RowSource, currency_code: str, is_offers: bool) -> Feed:
    looked_at = [row.values for row, _ in zip(source.rows(), range(_LOOKED_AT), strict=False)]
    columns = dict.fromkeys(name for values in looked_at for name in values)
    mapping = table_mapping(columns, head.path, is_offers=is_offers)
    return _feed(kind, head, source, mapping, currency_code, None)


def _delimited(head: _Head, currency_code: str, is_offers: bool) -> Feed:
    table, columns = _table(head), _columns(head, _delimiter(head))
    names = {column_name(name) for name in columns}
    if is_shopify(columns):
        _require_currency(head, currency_code, "a Shopify export")
        return _feed("Shopify CSV", head, ShopifyProducts(table), native_mapping(), currency_code, shopify_row)
    if is_woocommerce(columns):
        _require_currency(head, currency_code, "a WooCommerce export")
        return _feed(
            "WooCommerce CSV", head, WooCommerceProducts(table), native_mapping(), currency_code, woocommerce_row
        )
    if {"id", "title"} <= names and len({"link", "image_link", "google_product_category", "gtin"} & names) >= 2:
        return _feed("Google Merchant Center table", head, table, native_mapping(), currency_code, merchant_center_row)
    mapping = table_mapping(columns, head.path, is_offers=is_offers)
    return _feed("CSV", head, table, mapping, currency_code, None)


def _require_currency(head: _Head, currency_code: str, what: str) -> None:
    if not currency_code:
        raise invalid("--currency", f"{head.path.name} is {what}, which {_NO_CURRENCY}")


def _mapped(head: _Head) -> str:
    return "Parquet" if head.data.startswith(b"PAR1") else "JSON lines" if head.text.startswith("{") else "CSV"


def _table(head: _Head) -> RowFile:
    ending = {"Parquet": ".parquet", "JSON lines": ".jsonl"}.get(_mapped(head), ".csv")
    return RowFile(head.path, ending=ending, encoding=head.encoding, delimiter=_delimiter(head))


def _delimiter(head: _Head) -> str:
    """What divides the first line into most cells."""
    return max(_DELIMITERS, key=lambda delimiter: len(_cells(head, delimiter)))


def _columns(head: _Head, delimiter: str) -> list[str]:
    return [name.strip() for name in _cells(head, delimiter) if name.strip()]


def _cells(head: _Head, delimiter: str) -> list[str]:
    """Those of the first line, which also ends where nothing but a carriage return stands."""
    return next(csv.reader(head.text.splitlines()[:1], delimiter=delimiter), [])
