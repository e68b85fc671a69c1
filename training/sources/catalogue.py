"""The shop's products as training reads them: by number, by id, or one after the other."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from training.errors import TrainingError
from training.shop_files import ShopItem
from training.sources.reading import read_rows
from training.sources.store import SourceStore, as_json
from vitrine.errors import InvalidArgument
from vitrine.mapping import load_mapping
from vitrine.product import CATEGORY_SEPARATOR, Product, ProductKind
from vitrine.product_row import ProductRows
from vitrine.product_text import EMBEDDING_DESCRIPTION_COLUMNS, EMBEDDING_TITLE_COLUMNS
from vitrine.text import normalize_text

_EMBEDDING_COLUMNS = (EMBEDDING_TITLE_COLUMNS, EMBEDDING_DESCRIPTION_COLUMNS)
_MODEL_NAMES = ("model", "model_number", "model_name", "mpn", "型号", "产品型号")
_KIND_NAMES = ("product_type", "产品类型", "类型")
_IDENTIFIERS = ("gtin", "ean", "upc", "barcode", "条码", "item_group_id", "sku")
_ID_WITH_LANGUAGE = re.compile(r"(.+)[-_.](?:zh|en|cn|us|uk)", re.IGNORECASE)
_SUMMARY_CHARACTERS = 2_000


class Catalogue:
    """The products of a store, numbered from 0 in the order of the file."""

    def __init__(self, store: SourceStore) -> None:
        self._store = store
        self._count = store.count("product")

    def __len__(self) -> int:
        return self._count

    def items(self) -> Iterator[ShopItem]:
        """All products, streamed."""
        for _, item in self._store.rows("SELECT number, item FROM product ORDER BY number"):
            yield _read(str(item))

    def item(self, number: int) -> ShopItem:
        """The product of that number."""
        row = self._store.connection.execute("SELECT item FROM product WHERE number = ?", (number + 1,)).fetchone()
        return _read(row[0])

    def twin(self, item: ShopItem) -> ShopItem | None:
        """The same product in another language, if the shop has both: of one identifier, or one brand and model."""
        row = self._store.connection.execute(
            "SELECT item FROM product WHERE same = ? AND language <> ? ORDER BY number LIMIT 1",
            (_same(item), item.language),
        ).fetchone()
        return _read(row[0]) if row else None

    def numbers(self, ids: Iterable[str]) -> list[int]:
        """Numbers of the products with these ids. Raises KeyError for one that there is not."""
        found = []
        for product_id in ids:
            row = self._store.connection.execute("SELECT number FROM product WHERE id = ?", (product_id,)).fetchone()
            if row is None:
                raise KeyError(product_id)
            found.append(int(row[0]) - 1)
        return found

    def documents(self, numbers: Iterable[int], columns: tuple[int, int] = _EMBEDDING_COLUMNS) -> list[str]:
        """The texts that a model reads of these products: at most so many columns of title and description."""
        return [self.item(number).words(columns) for number in numbers]


def read_products(paths: Sequence[Path], mapping: Path | None, note: Callable[[str], None]) -> Iterator[Product]:
    """The files' products, checked, streamed. Rows that ingest would refuse are left out; `note` hears how many.

    Reviews and guides are passed over: what is learned is of products.

    Raises TrainingError for a mapping that is wrong and a file without a product.
    """
    try:
        rows_to_products = ProductRows(load_mapping(mapping))
    except InvalidArgument as error:
        raise TrainingError(str(error)) from error
    for path in paths:
        accepted, refused, first = 0, 0, ""
        for row in read_rows(path):
            try:
                if row.fault:
                    raise TrainingError(row.fault)
                product = rows_to_products.product(row.values)
            except (InvalidArgument, TrainingError) as error:
                refused, first = refused + 1, first or f"line {row.line}: {error}"
                continue
            accepted += 1
            if product.kind is ProductKind.PRODUCT:
                yield product
        if not accepted:
            raise TrainingError(
                f"{path}: no product" + (f"; {refused} rows refused, the first {first}" * bool(refused))
            )
        if refused:
            note(f"{path.name}: {refused} rows left out, the first {first}")
    if rows_to_products.unused_columns:
        note(f"columns without a use: {', '.join(rows_to_products.unused_columns)}")


def read_catalogue(store: SourceStore, paths: Sequence[Path], mapping: Path | None) -> None:
    """Fill the store's products from `read_products`. One that comes twice counts as its last row says."""
    for product in read_products(paths, mapping, store.note):
        item = shop_item(product)
        store.connection.execute(
            "INSERT INTO product(id, item, language, same) VALUES (?, ?, ?, ?) ON CONFLICT(id) "
            "DO UPDATE SET item = excluded.item, language = excluded.language, same = excluded.same",
            (item.id, _written(item), item.language, _same(item)),
        )


def shop_item(product: Product) -> ShopItem:
    """The product as training sees it; its model and type come from attributes, else from brand, title and category."""
    attributes = {name: ", ".join(map(_word, values)) for name, values in product.attributes.items()}
    lower = {name.lower(): value for name, value in attributes.items()}
    leaf = product.categories[0].split(CATEGORY_SEPARATOR)[-1] if product.categories else ""
    return ShopItem(
        id=product.id,
        title=product.title,
        language="zh" if product.language.startswith("zh") else "en",
        brand=product.brand,
        model=next((lower[name] for name in _MODEL_NAMES if name in lower), "") or _model(product),
        kind=next((lower[name] for name in _KIND_NAMES if name in lower), "") or leaf,
        summary=product.description[:_SUMMARY_CHARACTERS],
        attributes=attributes,
    )


def _model(product: Product) -> str:
    """The title's words right after the brand up to the first that has letters and digits, at most three; or ""."""
    if not product.brand:
        return ""
    words = product.title.partition(product.brand)[2].split()[:3]
    for end, word in enumerate(words, 1):
        if any(map(str.isdigit, word)) and any(c.isascii() and c.isalpha() for c in word):
            return " ".join(words[:end]).strip(",;()（），")
    return ""


def _same(item: ShopItem) -> str | None:
    """What the versions of a product in several languages share: an identifier, an id but for its language, or brand
    and model number."""
    for name in _IDENTIFIERS:
        if item.attributes.get(name):
            return f"{name} {item.attributes[name]}"
    if match := _ID_WITH_LANGUAGE.fullmatch(item.id):
        return f"id {match.group(1)}"
    if item.brand and any(map(str.isdigit, item.model)):
        return normalize_text(f"model {item.brand} {item.model}")
    return None


def _word(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _written(item: ShopItem) -> str:
    return as_json(
        [item.id, item.title, item.language, item.brand, item.model, item.kind, item.summary, item.attributes]
    )


def _read(text: str) -> ShopItem:
    return ShopItem(*json.loads(text))
