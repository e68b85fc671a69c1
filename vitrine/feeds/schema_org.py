"""schema.org's Product as JSON-LD: in a page, in a document, or one on each line."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vitrine.errors import invalid
from vitrine.product import MAX_ATTRIBUTE_VALUES, id_violation
from vitrine.rows import DAMAGED, Row, opened

_PRODUCTS = ("Product", "ProductGroup", "ProductModel", "IndividualProduct", "SomeProducts", "Vehicle", "Book")
_IDS = ("productID", "sku", "productGroupID", "gtin", "gtin13", "gtin14", "gtin12", "gtin8", "mpn", "isbn")
_GTINS = ("gtin", "gtin13", "gtin14", "gtin12", "gtin8", "isbn")
_ATTRIBUTES = ("color", "material", "pattern", "size", "mpn", "model", "sku", "itemCondition")
_READ = {
    "@context", "@type", "@id", "url", "name", "title", "description", "brand", "manufacturer", "category", "image",
    "offers", "aggregateRating", "review", "reviews", "additionalProperty", "hasVariant", "variesBy", "inLanguage",
    "mainEntityOfPage", "isVariantOf", "inProductGroupWithID", *_IDS, *_ATTRIBUTES,
}  # fmt: skip
_SCRIPTS = 'script[type*="ld+json"]'
_COMMENT = re.compile(r"^\s*(?:<!--|//<!\[CDATA\[|<!\[CDATA\[)|(?:-->|//\]\]>|\]\]>)\s*$")
_TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")
_STRUCK = ("ListPrice", "StrikethroughPrice")
# A page or a document is read whole; catalogues of this size are JSON lines.
_MAX_BYTES = 64 << 20


class JsonObjects:
    """Objects of a page or document, each with its line and what is wrong with it, as rows."""

    def __init__(self, size: int, objects: list[tuple[int, dict[str, Any], str]]) -> None:
        self.size = size
        self.objects = objects

    def rows(self, skip: int = 0) -> Iterator[Row]:
        """The objects after the first `skip`."""
        for number, (line, values, fault) in enumerate(self.objects[skip:], skip + 1):
            yield Row(number, line, self.size, values, fault)


def page_products(path: Path, encoding: str, mended: Counter[str]) -> JsonObjects:
    """The products that a page describes as JSON-LD; scripts that are no JSON are faults."""
    objects: list[tuple[int, dict[str, Any], str]] = []
    for line, script in _scripts(_text(path, encoding)):
        values, fault = _json(script, mended)
        objects += [(line, {}, fault)] if fault else [(line, product, "") for product in products_in(values)]
    if not objects:
        raise invalid("PATH", f"{path} holds no schema.org Product as JSON-LD; other products go as JSON lines or CSV")
    return JsonObjects(path.stat().st_size, objects)


def document_objects(path: Path, encoding: str, mended: Counter[str]) -> JsonObjects:
    """The schema.org products of a JSON document; where there are none, the objects of its list."""
    values, fault = _json(_text(path, encoding), mended)
    if fault:
        raise invalid("PATH", f"{path} {fault}")
    listed = [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
    objects = list(products_in(values)) or listed
    if not objects:
        raise invalid("PATH", f"{path} holds no schema.org Product and no list of objects; write one on each line")
    return JsonObjects(path.stat().st_size, [(1, value, "") for value in objects])


def _text(path: Path, encoding: str) -> str:
    try:
        with path.open("rb") as raw, opened(raw, encoding) as file:
            data = file.read(_MAX_BYTES + 1)
    except DAMAGED as error:
        raise invalid("PATH", f"{path} cannot be read to its end: {error}") from error
    if len(data) > _MAX_BYTES:
        raise invalid("PATH", f"{path} is above {_MAX_BYTES >> 20} MB; write one JSON object on each line")
    return data.decode("utf-8-sig", "replace")


def products_in(value: Any) -> Iterator[dict[str, Any]]:
    """The products in a JSON-LD value, wherever it holds them: graphs, lists, pages about them."""
    if isinstance(value, list):
        for item in value:
            yield from products_in(item)
    elif isinstance(value, dict):
        if _types(value) & set(_PRODUCTS):
            yield value
            return
        for name in ("@graph", "mainEntity", "itemListElement", "item", "itemOffered"):
            if name in value:
                yield from products_in(value[name])


def is_schema_org(values: dict[str, Any]) -> bool:
    """Whether a JSON object is, or holds, a product of schema.org."""
    return "@type" in values or "@graph" in values


def schema_org_row(values: dict[str, Any], mended: Counter[str]) -> dict[str, Any] | None:
    """One product; a group of variants is one, at the price of its cheapest offer that can be bought."""
    found = next(products_in(values), None)
    if found is None:
        mended["objects that are no Product left out"] += 1
        return None
    variants = [variant for variant in _list(found.get("hasVariant")) if isinstance(variant, dict)]
    offers = [offer for product in (found, *variants) for offer in _offers(product.get("offers"))]
    offer = _cheapest(offers)
    attributes: dict[str, Any] = {}
    for product in (found, *variants):
        for name in _ATTRIBUTES:
            _put(attributes, name, [_name(item).rpartition("schema.org/")[2] for item in _list(product.get(name))])
        _put(attributes, "gtin", [_name(product[name]) for name in _GTINS if name in product])
        for detail in _list(product.get("additionalProperty")):
            if isinstance(detail, dict) and detail.get("name"):
                _put(attributes, str(detail["name"]), [_name(item) for item in _list(detail.get("value"))])
    rating = found.get("aggregateRating")
    return {
        "id": _id(found),
        "title": _name(found.get("name") or found.get("title") or (variants[0].get("name") if variants else "")),
        "description": _name(found.get("description")),
        "brand": _name(found.get("brand") or found.get("manufacturer")),
        "categories": [_name(item).replace(" / ", " > ") for item in _list(found.get("category"))],
        "price": offer.get("price", ""),
        "original_price": offer.get("original_price", ""),
        "currency_code": offer.get("currency_code", ""),
        "availability": offer.get("availability", ""),
        "image_uris": [_uri(image) for product in (found, *variants) for image in _list(product.get("image"))],
        "rating": rating.get("ratingValue") if isinstance(rating, dict) else None,
        "language": _name(found.get("inLanguage")),
        "attributes": {name: texts[:MAX_ATTRIBUTE_VALUES] for name, texts in attributes.items()},
        **{name: value for name, value in found.items() if name not in _READ},
    }  # fmt: skip


def _scripts(page: str) -> Iterator[tuple[int, str]]:
    """The JSON-LD texts of a page, each with the line that it begins at."""
    from selectolax.lexbor import LexborHTMLParser

    at = 0
    for script in LexborHTMLParser(page).css(_SCRIPTS):
        text = script.text(deep=True) or ""
        at = max(at, page.find(text[:200], at))
        yield page.count("\n", 0, at) + 1, text


def _json(text: str, mended: Counter[str]) -> tuple[Any, str]:
    """The value of a JSON text, or what is wrong with it."""
    text = _COMMENT.sub("", text.strip())
    try:
        # Not strict: templates put raw line ends into strings.
        return json.loads(text, strict=False), ""
    except (ValueError, RecursionError) as error:
        fault = f"is not JSON: {error}"
    try:
        value = json.loads(_TRAILING_COMMA.sub("", text), strict=False)
    except (ValueError, RecursionError):
        return None, fault
    mended["commas after the last entry of JSON left out"] += 1
    return value, ""


def _types(value: dict[str, Any]) -> set[str]:
    return {str(name).rpartition("/")[2].rpartition(":")[2] for name in _list(value.get("@type"))}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None or value == "" else [value]


def _name(value: Any) -> str:
    """A text, or the name, value or address of an object that stands for one."""
    if isinstance(value, list):
        return next((text for item in value if (text := _name(item))), "")
    if isinstance(value, dict):
        return next((_name(value[key]) for key in ("name", "@value", "value", "url", "@id") if value.get(key)), "")
    return "" if value is None or isinstance(value, bool) else str(value).strip()


def _uri(value: Any) -> str:
    if isinstance(value, dict):
        return _name(value.get("contentUrl") or value.get("url") or value.get("@id"))
    return value.strip() if isinstance(value, str) else ""


def _id(product: dict[str, Any]) -> str:
    """The shop's own number of the product; else its address, as pages without one are met."""
    for name in (*_IDS, "@id", "url"):
        text = _name(product.get(name)).rpartition("urn:")[2]
        if text and not id_violation(text):
            return text
    return _name(product.get("sku"))


def _offers(value: Any) -> Iterator[dict[str, Any]]:
    """The offers as the catalogue's fields; of an aggregate its lowest price."""
    for offer in _list(value):
        if not isinstance(offer, dict):
            continue
        nested = _list(offer.get("offers"))
        specifications = [item for item in _list(offer.get("priceSpecification")) if isinstance(item, dict)]
        specification = next((item for item in specifications if not item.get("priceType")), {})
        struck = next(
            (
                item
                for item in specifications
                if str(item.get("priceType", "")).endswith(("ListPrice", "StrikethroughPrice"))
            ),
            {},
        )
        price = offer.get("price") or offer.get("lowPrice") or specification.get("price")
        if price in (None, "") and nested:
            yield from _offers(nested)
            continue
        yield {
            "price": price,
            "original_price": struck.get("price", ""),
            "currency_code": offer.get("priceCurrency") or specification.get("priceCurrency", ""),
            "availability": _name(offer.get("availability")),
        }


def _cheapest(offers: list[dict[str, Any]]) -> dict[str, Any]:
    def rank(offer: dict[str, Any]) -> tuple[bool, bool, float]:
        state = str(offer["availability"]).rpartition("/")[2]
        try:
            price = float(offer["price"])
        except (TypeError, ValueError, OverflowError):
            return state in ("OutOfStock", "SoldOut", "Discontinued"), True, 0.0
        return state in ("OutOfStock", "SoldOut", "Discontinued"), False, price

    return min(offers, key=rank, default={})


def _put(attributes: dict[str, Any], name: str, texts: list[str]) -> None:
    if filled := [text for text in texts if text]:
        attributes[name] = list(dict.fromkeys([*attributes.get(name, ()), *filled]))
