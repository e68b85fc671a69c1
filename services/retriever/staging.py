"""Staging: what a group of writes does, worked out within one transaction before the views take it over."""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from services.retriever.catalogue import Transaction
from services.retriever.followed_views import FollowedViews
from services.retriever.prepared import Prepared, prepared, product_of_version, vector_of_version
from services.retriever.product_document import product_of, with_description
from services.retriever.tables import State, Version
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, InvalidArgument, NotFound, VitrineError
from vitrine.offer import Offer, last_offers, with_offer
from vitrine.product_text import embedding_text


@dataclass(frozen=True, slots=True)
class Written:
    """The revision of a write, and what was wrong with some of its ids."""

    revision: int
    errors: Mapping[str, VitrineError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Write:
    """Products to write, with the digest of the model of their vectors; or ids to delete; or offers to take over."""

    deadline: Deadline
    products: Sequence[Prepared] = ()
    model_digest: str = ""
    deleted_ids: Sequence[str] = ()
    offers: Sequence[Offer] = ()
    done: "Future[Written]" = field(default_factory=Future)

    @property
    def size(self) -> int:
        """Products that it may add."""
        return len(self.products) + len(self.offers)


class Staging:
    """A group of writes in one transaction, ahead of the views."""

    def __init__(self, transaction: Transaction, views: FollowedViews) -> None:
        self._transaction = transaction
        self._views = views
        self._living = views.living
        self._rows: dict[str, int | None] = {}
        self.state = views.state
        self.dead: list[tuple[int, str]] = []
        self.added: list[tuple[int, Prepared]] = []

    def stage(self, write: Write) -> Written:
        """Adds one write to the group. Raises before it has changed anything."""
        write.deadline.check("the write")
        write = _turned(write, self.state.model_digest)
        named = [item.id for item in write.products] + [offer.id for offer in write.offers] + list(write.deleted_ids)
        living = self._living_rows(named)
        added, keeping, errors = self._added(write, living)
        state = _with_model(self.state, self._living, added.values(), write.model_digest)
        revision = state.revision + 1
        for product_id in write.deleted_ids:
            if product_id not in living:
                errors[product_id] = _unknown(product_id)
        dead = [(living[i], i) for i in dict.fromkeys([*added, *write.deleted_ids]) if i in living]
        if not dead and not added:
            return Written(state.revision, errors)
        rows = range(state.next_row, state.next_row + len(added))
        self._transaction.mark_dead([row for row, _ in dead], revision)
        self._transaction.add(
            [item.version(row, revision) for row, item in zip(rows, added.values(), strict=True)], state.model_digest
        )
        numbered = dict(zip(added, rows, strict=True))
        self._transaction.add_further(
            {row: added[i].further for i, row in numbered.items()},
            {living[i]: row for i, row in numbered.items() if i in keeping},
        )
        self.dead += dead
        self.added += zip(rows, added.values(), strict=True)
        self._rows.update({product_id: None for _, product_id in dead})
        self._rows.update(zip(added, rows, strict=True))
        self._living += len(added) - len(dead)
        if not self._living:
            # The last product gone, the next write may bring another model.
            state = replace(state, model_digest="", dim=0)
        self.state = replace(state, revision=revision, next_row=rows.stop, update_time_s=time.time())
        return Written(revision, errors)

    def _living_rows(self, ids: Iterable[str]) -> dict[str, int]:
        """Row keys of those that live as this group leaves them so far."""
        unique = list(dict.fromkeys(ids))
        rows = self._views.living_rows([product_id for product_id in unique if product_id not in self._rows])
        staged = ((product_id, self._rows.get(product_id)) for product_id in unique)
        return rows | {product_id: row for product_id, row in staged if row is not None}

    def _added(
        self, write: Write, living: Mapping[str, int]
    ) -> tuple[dict[str, Prepared], set[str], dict[str, VitrineError]]:
        """The versions that a write adds, by id; ids of those that keep a vector; and what was wrong with others."""
        added: dict[str, Prepared] = {}
        errors: dict[str, VitrineError] = {}
        keeping = [item.id for item in write.products if item.vector is None] + [offer.id for offer in write.offers]
        rows = [living[product_id] for product_id in dict.fromkeys(keeping) if product_id in living]
        kept = {version.id: version for version in self._transaction.versions(rows)}
        for item in write.products:
            try:
                added[item.id] = item if item.vector is not None else _with_kept_vector(item, kept.get(item.id))
            except FailedPrecondition as error:
                errors[item.id] = error
        for offer in last_offers(write.offers).values():
            try:
                offered = _offered(offer, kept.get(offer.id))
                if offered is not None:
                    added[offer.id] = offered
            except (InvalidArgument, NotFound) as error:
                errors[offer.id] = error
        return added, set(keeping), errors


def _turned(write: Write, own_digest: str) -> Write:
    """The write with the vectors of the catalogue's own model first: it may be another one since the write was made."""
    given = [item for item in write.products if item.vector is not None]
    if own_digest == write.model_digest or not given or any(own_digest not in item.further for item in given):
        return write

    def turned(item: Prepared) -> Prepared:
        if item.vector is None:
            return item
        further = {digest: vector for digest, vector in item.further.items() if digest != own_digest}
        return replace(item, vector=item.further[own_digest], further={**further, write.model_digest: item.vector})

    return replace(write, products=[turned(item) for item in write.products], model_digest=own_digest)


def _with_kept_vector(item: Prepared, kept: Version | None) -> Prepared:
    """The product with the vector of the version that lives. Raises FailedPrecondition where that is of other words."""
    if kept is None:
        raise FailedPrecondition("there is no version whose vector could be kept; send one", reason="TEXT_CHANGED")
    product = with_description(product_of(item.id, item.document, 0), item.description)
    if embedding_text(product) != embedding_text(product_of_version(kept)):
        raise FailedPrecondition(
            "the words that are embedded are not those of the version that lives; embed them and send the vector",
            reason="TEXT_CHANGED",
        )
    return replace(item, vector=vector_of_version(kept))


def _offered(offer: Offer, kept: Version | None) -> Prepared | None:
    """The product under the offer; None where that changes nothing. Raises NotFound and InvalidArgument."""
    if kept is None:
        raise _unknown(offer.id)
    made = prepared(with_offer(product_of_version(kept), offer), vector_of_version(kept))
    return None if made.digest == kept.digest else made


def _unknown(product_id: str) -> NotFound:
    return NotFound(f"there is no product {product_id!r}")


def _with_model(state: State, living: int, added: Iterable[Prepared], model_digest: str) -> State:
    """The state with the model that the write brings. Raises FailedPrecondition where the catalogue has another."""
    vector = next((item.vector for item in added if item.vector is not None), None)
    if vector is None or not model_digest:
        return state
    if not living:
        return replace(state, model_digest=model_digest, dim=len(vector))
    if model_digest != state.model_digest:
        raise FailedPrecondition(
            f"the vectors are of model {model_digest} and the catalogue holds those of {state.model_digest}; "
            "embed with the catalogue's model, or delete every product first",
            reason="MODEL_MISMATCH",
        )
    if len(vector) != state.dim:
        raise FailedPrecondition(
            f"the vectors have {len(vector)} numbers and the catalogue's have {state.dim}", reason="MODEL_MISMATCH"
        )
    return state
