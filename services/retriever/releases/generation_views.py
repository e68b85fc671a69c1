"""Views of several models in step: the catalogue's own, and those of further ones, driven by one writer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, Self, TypeVar

from services.retriever.catalogue import Catalogue
from services.retriever.followed_views import FollowedViews
from services.retriever.prepared import Prepared, steps, vector_of_bytes
from services.retriever.releases.model_catalogue import ModelCatalogue
from services.retriever.releases.vectors import kept_models
from services.retriever.tables import State
from vitrine.errors import Unavailable


class ModelViews(FollowedViews, Protocol):
    """Views of one model, whatever they are searched with."""

    def read_from(self, catalogue: Catalogue) -> None:
        """Reads vectors, and is made anew, from another view of the same catalogue from now on."""
        ...


class ModelSnapshot(Protocol):
    """What readers see of one model."""

    @property
    def model_digest(self) -> str:
        """The model's; "" while the catalogue is empty."""
        ...

    @property
    def dim(self) -> int:
        """How many numbers its vectors have."""
        ...

    @property
    def living(self) -> int:
        """Products that live."""
        ...

    @property
    def recommender_digests(self) -> tuple[str, ...]:
        """The recommenders whose behaviour spaces are in it."""
        ...


V = TypeVar("V", bound=ModelViews)
S = TypeVar("S", bound=ModelSnapshot)


@dataclass(slots=True)
class Beside(Generic[V]):
    """Views of a further model, which stand for its vectors as of `fills` (see the table `generation`)."""

    catalogue: ModelCatalogue
    views: V
    fills: int

    def catch_up(self) -> None:
        """Follows what was written since they were made. They must not be too old for that."""
        with self.catalogue.changes_since(self.views.state.revision) as changes:
            assert changes is not None
            dead = changes.dead
            for added in steps(changes, self.catalogue):
                self.views.follow(changes.state, dead, added)
                dead = ()

    def follow(self, state: State, dead: Sequence[tuple[int, str]], added: Sequence[tuple[int, Prepared]]) -> None:
        """Takes over what the catalogue's own views take over, with this model's vectors."""
        vectors = dict(self.catalogue.vectors([row for row, _ in added]))
        own = [(row, replace(item, vector=vector_of_bytes(vectors[row]))) for row, item in added]
        self.views.follow(self.catalogue.of_model(state), dead, own)
        self.catalogue.lacking.difference_update(row for row, _ in dead)


@dataclass(frozen=True, slots=True)
class Published(Generic[S]):
    """What readers see of each model; nothing in it changes. `lacking` and `fills` are of those beside its own."""

    own: S
    beside: Mapping[str, S]
    lacking: Mapping[str, int]
    fills: Mapping[str, int]

    def of(self, model_digest: str) -> S:
        """The snapshot of a model; the catalogue's own for one that there is none of."""
        return self.beside.get(model_digest, self.own)

    def all(self) -> tuple[S, ...]:
        """Every snapshot, the catalogue's own first."""
        return (self.own, *self.beside.values())

    def with_recommender(self, digest: str) -> S:
        """The snapshot that holds a recommender's behaviour space; the catalogue's own where none does."""
        return next((one for one in self.all() if digest in one.recommender_digests), self.own)


class GenerationViews(Generic[V]):
    """Implements `FollowedViews`; the writer's thread alone."""

    def __init__(self, catalogue: Catalogue, own: V, beside: Mapping[str, Beside[V]]) -> None:
        self._catalogue = catalogue
        self.own = own
        self.beside = dict(beside)
        self._held: int | None = None

    @property
    def alerts(self) -> dict[str, str]:
        """What is wrong, if anything."""
        return self.own.alerts

    @alerts.setter
    def alerts(self, alerts: dict[str, str]) -> None:
        self.own.alerts = alerts

    @property
    def state(self) -> State:
        """Where the catalogue stood when the views last followed it."""
        return self.own.state

    @property
    def living(self) -> int:
        """Products that live."""
        return self.own.living

    def living_rows(self, ids: Sequence[str]) -> dict[str, int]:
        """The row keys of those products that live."""
        return self.own.living_rows(ids)

    def oldest_revision_read(self) -> int:
        """The oldest revision that a reader of any model may still hold."""
        held = [] if self._held is None else [self._held]
        return min(*held, *(views.oldest_revision_read() for views in self._all()), self.state.revision)

    def anew(self) -> Self:
        """The same made anew from the catalogue."""
        for one in self.beside.values():
            one.catalogue.lacking.clear()
            one.views = one.views.anew()
        views = type(self)(self._catalogue, self.own.anew(), self.beside)
        views._held = self._held
        return views

    def follow(self, state: State, dead: Sequence[tuple[int, str]], added: Sequence[tuple[int, Prepared]]) -> None:
        """Takes over what a write did, and another model as the catalogue's own.

        Raises Unavailable where that one is not searched here, so that all must be made anew.
        """
        if state.model_digest != self.own.state.model_digest:
            self._exchange(state, dead)
        self.own.follow(state, dead, added)
        for one in self.beside.values():
            one.follow(state, dead, added)

    def hold(self) -> None:
        """Keeps versions that die from now on, for views that are being made elsewhere, until these are taken."""
        self._held = self.state.revision

    def take(self, model_digest: str, beside: Beside[V]) -> None:
        """Searches by a further model from now on, in views that were made after `hold`."""
        beside.catch_up()
        self._held = None
        self.alerts.pop(_alert_of(model_digest), None)
        replaced = self.beside.get(model_digest)
        self.beside[model_digest] = beside
        if replaced is not None:
            replaced.views.close()

    def give_up(self, model_digest: str, alert: str) -> None:
        """Keeps nothing any longer for views that could not be made, and says so until they are."""
        self._held = None
        self.alerts[_alert_of(model_digest)] = alert

    def change(self, is_meant: Callable[[V], bool], change: Callable[[V], None]) -> None:
        """Changes the views that are meant, of whichever model, where there are any by now."""
        for views in filter(is_meant, self._all()):
            change(views)

    def drop(self, model_digest: str) -> None:
        """Searches by this model no more."""
        self.alerts.pop(_alert_of(model_digest), None)
        gone = self.beside.pop(model_digest, None)
        if gone is not None:
            gone.views.close()

    def publish(self) -> Published[Any]:
        """What readers see from now on."""
        return Published(
            self.own.publish(),
            {digest: one.views.publish() for digest, one in self.beside.items()},
            {digest: len(one.catalogue.lacking) for digest, one in self.beside.items()},
            {digest: one.fills for digest, one in self.beside.items()},
        )

    def close(self) -> None:
        """Ends what they hold."""
        for views in self._all():
            views.close()

    def _exchange(self, state: State, dead: Sequence[tuple[int, str]]) -> None:
        """Has a further model change places with the catalogue's own; an empty catalogue takes any as it comes."""
        before, taken = self.own.state, self.beside.pop(state.model_digest, None)
        rows = self.own.living_rows([product_id for _, product_id in dead])
        if self.own.living == sum(rows.get(product_id) == row for row, product_id in dead):
            if taken is not None:
                taken.views.close()
            return
        if taken is None:
            raise Unavailable(f"{state.model_digest} is the catalogue's own model now and not searched here yet")
        kept = self._catalogue.read(kept_models)
        old, self.own = self.own, taken.views
        self.own.read_from(self._catalogue)
        fills = next((one.fills for one in kept if one.model_digest == before.model_digest), None)
        if fills is None:
            old.close()
            return
        further = ModelCatalogue(self._catalogue, before.model_digest, before.dim)
        old.read_from(further)
        self.beside[before.model_digest] = Beside(further, old, fills)

    def _all(self) -> list[V]:
        return [self.own, *(one.views for one in self.beside.values())]


def _alert_of(model_digest: str) -> str:
    return f"generation {model_digest}"
