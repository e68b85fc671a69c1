"""What histories of a catalogue must lead to: products, releases and vectors as plain data."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from vitrine.product import Product
from vitrine.vectors import FloatArray

OLD, NEW = "sha256:old", "sha256:new"
DIMS = {OLD: 8, NEW: 6}


@dataclass(frozen=True)
class Item:
    """What is known of a product; its vectors are made of `seed`."""

    color: str
    brand: str
    seed: int
    price: float | None = None

    def product(self, product_id: str) -> Product:
        """The product that says it."""
        currency = "" if self.price is None else "EUR"
        title = f"{self.color} shoe"
        return Product(id=product_id, title=title, brand=self.brand, price=self.price, currency_code=currency)


@dataclass
class Truth:
    """Products by id, the releases with their embedders, and which of them serves and served before.

    `own` is the catalogue's own model. `kept` are the ids that have a vector of the other one, None while none are
    kept; `built`: these are searched. `leftover` are the ids that may have a vector of the first model though none are
    kept: of the time when it was the catalogue's own.
    """

    products: dict[str, Item] = field(default_factory=dict)
    releases: dict[str, str] = field(default_factory=dict)
    serving: str = ""
    previous: str | None = None
    own: str = OLD
    kept: set[str] | None = None
    built: bool = False
    leftover: set[str] = field(default_factory=set)

    @property
    def other(self) -> str:
        """The model that is not the catalogue's own."""
        return NEW if self.own == OLD else OLD

    @property
    def lacking(self) -> set[str]:
        """Products without a vector of the other model."""
        return set(self.products) - (self.kept or set())

    @property
    def able(self) -> bool:
        """Whether the other model can answer."""
        return self.built and not self.lacking

    def write(self, written: dict[str, Item], both: bool) -> None:
        """Products with the vectors of both models, or of the catalogue's own alone."""
        self.products |= written
        self.leftover = self.leftover | set(written) if self.own == OLD else self.leftover - set(written)
        if self.kept is not None:
            self.kept = self.kept | set(written) if both else self.kept - set(written)

    def delete(self, product_id: str) -> None:
        """The product is gone."""
        self.products.pop(product_id, None)
        self.leftover.discard(product_id)
        if self.kept is not None:
            self.kept.discard(product_id)

    def flip(self, name: str) -> None:
        """The release serves."""
        if name != self.serving:
            self.serving, self.previous = name, self.serving

    def remove(self, name: str) -> None:
        """The release is gone, and its vectors where no other has their model."""
        del self.releases[name]
        if name == self.previous:
            self.previous = None
        if self.other not in self.releases.values():
            self.kept, self.built = None, False

    def adopt(self, before: str, written: Iterable[str]) -> None:
        """The other model is the catalogue's own, and `before` a release of the one that was, where it has none.

        Products were written meanwhile, before or after.
        """
        if self.previous == "" or self.own not in self.releases.values():
            self.releases[before] = self.own
            self.previous = before if self.previous == "" else self.previous
        self.own, self.kept = self.other, set(self.products)
        self.leftover |= set(written) if self.own == OLD else set()


def vectors_of(seeds: Iterable[int], model: str) -> FloatArray:
    """(n, dim) float32 of one of the models, not normalised."""
    return np.stack([np.random.default_rng(seed).normal(size=DIMS[model]).astype(np.float32) for seed in seeds])
