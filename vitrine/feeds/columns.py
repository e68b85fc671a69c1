"""A plain table whose columns are named as shops name them: which one is which field."""

import re
from collections.abc import Iterable

from vitrine.errors import invalid
from vitrine.feeds.feed import native_mapping
from vitrine.mapping import Fields, Mapping, Source

# Names by field, the surest first; compared in small letters, with all but letters and digits as one "_".
_NAMES = {
    "id": (
        "id", "product_id", "item_id", "productid", "sku", "product_code", "item_number", "article_number", "code",
        "asin", "handle", "商品id", "商品编号", "商品编码", "产品编号", "编号", "货号",
    ),
    "title": (
        "title", "name", "product_name", "product_title", "item_name", "productname", "标题", "商品名称", "商品标题",
        "产品名称", "名称", "品名",
    ),
    "brand": ("brand", "brand_name", "manufacturer", "vendor", "maker", "supplier", "品牌", "厂商"),
    "categories": (
        "categories", "category", "category_path", "category_name", "product_type", "product_category", "类目",
        "商品类目", "分类", "商品分类", "类别",
    ),
    "description": (
        "description", "long_description", "product_description", "body", "details", "short_description", "描述",
        "商品描述", "产品描述", "详情", "商品详情", "简介",
    ),
    "price": ("price", "current_price", "selling_price", "unit_price", "价格", "售价", "现价", "单价"),
    "original_price": (
        "original_price", "list_price", "regular_price", "compare_at_price", "was_price", "msrp", "rrp", "原价",
        "市场价", "吊牌价",
    ),
    "currency_code": ("currency_code", "currency", "price_currency", "货币", "币种"),
    # Last how many there are: any, or none.
    "availability": (
        "availability", "in_stock", "stock_status", "库存状态", "stock", "quantity", "qty", "stock_quantity",
        "inventory", "inventory_quantity", "库存", "库存数量",
    ),
    "image_uris": (
        "image_uris", "images", "image_urls", "image_url", "image_link", "image", "picture", "photo", "图片", "主图",
        "图片链接",
    ),
    "language": ("language", "lang", "locale", "语言"),
    "update_time": ("update_time", "updated_at", "last_modified", "更新时间"),
    "kind": ("kind",),
    "about_product_ids": ("about_product_ids",),
    "rating": ("rating",),
}  # fmt: skip
# Kept as attributes under one name each; other columns are for the shop to name, as they may hold what it paid.
_ATTRIBUTES = {
    "gtin": ("gtin", "ean", "upc", "barcode", "条码", "条形码"),
    "mpn": ("mpn", "part_number", "manufacturer_part_number", "model_number", "型号"),
    "sku": ("sku",),
    "color": ("color", "colour", "颜色"),
    "size": ("size", "尺寸", "尺码", "规格"),
    "material": ("material", "材质"),
}
_LISTS = ("categories", "image_uris", "about_product_ids")


def table_mapping(columns: Iterable[str], path: object, *, is_offers: bool = False) -> Mapping:
    """The mapping of a table by its columns' names; one of offers needs no title, and has to have prices or stock.

    Raises InvalidArgument where no column is one that has to be there, naming what there is.
    """
    columns = list(columns)
    by_name = {_folded(column): column for column in reversed(columns)}
    found = {
        field: column
        for field, names in _NAMES.items()
        if (column := next((by_name[name] for name in names if name in by_name), None)) is not None
    }
    if is_offers and "id" in found:
        # Offers are read by id; a mapping has a title.
        found.setdefault("title", found["id"])
        if "price" not in found and "availability" in found:
            # Of stock alone: what the shop calls a price before a discount says nothing without one.
            found = {field: found[field] for field in ("id", "title", "availability")}
    for field in ("id", "title", *(["price"] if is_offers and "availability" not in found else [])):
        if field not in found:
            what = "price or the stock" if field == "price" else field
            raise invalid(
                "PATH",
                f"{path}: no column is known to be the {what} among {', '.join(columns[:20]) or 'none at all'}; "
                "name them in a --mapping file",
            )
    native = native_mapping()
    sources = {
        field: Source(columns=(column,), split="|" if field in _LISTS else "") for field, column in found.items()
    }
    if (sale := by_name.get("sale_price")) and "price" in found:
        sources["price"] = Source(columns=(sale, found["price"]))
        sources.setdefault("original_price", Source(columns=(found["price"],)))
    taken = set(found.values())
    named = {
        attribute: column
        for attribute, names in _ATTRIBUTES.items()
        if (column := next((by_name[name] for name in names if name in by_name), None)) and column not in taken
    }
    return native.model_copy(
        update={
            "fields": Fields(**sources),
            "attributes": native.attributes.model_copy(update={"columns": named}),
        }
    )


def _folded(column: str) -> str:
    return re.sub(r"[\W_]+", "_", column.strip().lower()).strip("_")
