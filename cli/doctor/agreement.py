"""Models of a running suite: the same across replicas, and those that the index and the release need."""

from collections.abc import AsyncIterator, Mapping, Sequence
from math import isnan

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, unknown, warning
from cli.doctor.suite import PARTS, Replica, Suite
from gateway.clients.embedder import EmbedderClient
from gateway.clients.ranker import RankerClient
from gateway.clients.retriever import RetrieverClient
from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.errors import PermissionDenied, Unauthenticated, VitrineError
from vitrine.ports import IndexInfo, ServedModels
from vitrine.scrape import Scrape
from vitrine.v1 import release_service_pb2, release_service_pb2_grpc

_TIMEOUT_S = 5.0
_SHOWN = 19


@check(
    "models.agreement",
    "suite",
    tells="replicas serve the same models and recommenders; the embedder's model is the index's",
)
async def agreement(suite: Suite) -> AsyncIterator[Finding]:
    """Digests of every replica, by GetModel and GetIndex."""
    if suite.one_process:
        yield ok("one process: the gateway serves only while its embedder is of the index's model")
        return
    faults: list[Finding] = []
    models = {one: await _served(one, faults) for one in (*suite.of("embedder"), *suite.of("ranker"))}
    indexes = {one: await _index(one, faults) for one in suite.of("retriever")}
    for fault in faults:
        yield fault
    by_part: dict[str, dict[str, Sequence[str]]] = {part: {} for part in PARTS}
    recommenders: dict[str, Sequence[str]] = {}
    for one, served in models.items():
        if served is not None:
            by_part[one.part][one.name] = served.digests
            if one.part == "embedder":
                recommenders[one.name] = served.recommender_digests
    for one, index in indexes.items():
        if index is not None:
            by_part["retriever"][one.name] = index.model_digests
            recommenders[one.name] = index.recommender_digests
    if suite.unknown_parts:
        yield unknown(f"not compared, as not known here: {', '.join(suite.unknown_parts)}", "see parts.health")
    for part in PARTS:
        if by_part[part]:
            yield _alike(
                f"models of the {part}", by_part[part], "give all replicas the same bundles, in the same order"
            )
    if recommenders:
        yield _alike(
            "recommenders of embedder and retriever", recommenders, "set the same VITRINE_…_RECOMMENDER for all"
        )
    embedders = {digest for digests in by_part["embedder"].values() for digest in digests}
    for name, digests in by_part["retriever"].items():
        if digests and by_part["embedder"] and digests[0] not in embedders:
            yield problem(
                f"{name} holds vectors of {digests[0][:_SHOWN]}… and the embedders serve {_short(sorted(embedders))}",
                "serve the index's model (VITRINE_EMBEDDER_BUNDLE), or change models by a release (docs/releases.md)",
            )


@check(
    "index.recall",
    "suite",
    tells="each retriever's recall is above its floor, its alerts, and that replicas show the same revision",
)
async def recall(suite: Suite) -> AsyncIterator[Finding]:
    """GetIndex of each; of one process, the same from its metrics."""
    if suite.one_process and isinstance(suite.page, Scrape):
        page = suite.page
        found, floor = page.value("vitrine_retriever_recall"), page.value("vitrine_retriever_recall_floor") or 0.0
        known = None if found is None or isnan(found) else found
        yield _recall("the index", known, floor, int(page.value("vitrine_retriever_products") or 0))
        if page.value("vitrine_retriever_alerts"):
            yield problem("the index alerts", "its log says of what, and docs/catalogue.md what that means")
        return
    faults: list[Finding] = []
    indexes = {one: await _index(one, faults) for one in suite.of("retriever")}
    for fault in faults:
        yield fault
    for one, index in indexes.items():
        if index is not None:
            yield _recall(one.name, index.recall, index.recall_floor, index.products)
            for alert in index.alerts:
                yield problem(f"{one.name} alerts: {alert}", "docs/catalogue.md tells what each means")
    revisions = {one.name: index.revision for one, index in indexes.items() if index is not None}
    if len(set(revisions.values())) > 1:
        said = ", ".join(f"{name} {revision}" for name, revision in revisions.items())
        yield warning(f"retrievers show different revisions: {said}", "ask again; if it stays, see postgres.followers")
    if not indexes:
        yield unknown("no retriever is known here", "see parts.health")


@check("releases.state", "suite", tells="the release that serves and the one kept for rollback have all their parts")
async def releases(suite: Suite) -> AsyncIterator[Finding]:
    """ListReleases, which is the scope admin's."""
    stub = release_service_pb2_grpc.ReleaseServiceStub(suite.gateway)
    try:
        listed = await call(
            stub.ListReleases, release_service_pb2.ListReleasesRequest(), deadline=Deadline.after(_TIMEOUT_S)
        )
    except (PermissionDenied, Unauthenticated) as error:
        yield unknown(
            f"releases are not told: {error.message}", "give a key of the scope admin (VITRINE_CLIENT_API_KEY_FILE)"
        )
        return
    for one in listed.releases:
        name, role = one.release.name, "serves" if one.serving else "is kept for rollback" if one.previous else ""
        if role and one.faults:
            made = problem if one.serving else warning
            yield made(
                f"release {name} {role}, and {'; '.join(one.faults)}",
                "serve the part that it names, or flip to another release",
            )
        elif role:
            yield ok(f"release {name} {role}, with all its parts")
        if one.serving and one.release.gates.faults:
            yield warning(
                f"release {name} serves by force: {'; '.join(one.release.gates.faults)}", "vitrine release rollback"
            )
    for generation in listed.generations:
        if generation.missing:
            yield warning(
                f"{generation.missing:,} products have no vector of {generation.model_digest[:_SHOWN]}…",
                "vitrine release build NAME goes on with it",
            )
    if not any(one.serving for one in listed.releases):
        yield ok("no release serves: the first model of each service answers")


async def _served(one: Replica, faults: list[Finding]) -> ServedModels | None:
    client = EmbedderClient(one.channel) if one.part == "embedder" else RankerClient(one.channel)
    try:
        return await client.get_models(deadline=Deadline.after(_TIMEOUT_S))
    except VitrineError as error:
        faults.append(unknown(f"{one.name} does not tell its models: {error.message}", "see parts.health"))
        return None


async def _index(one: Replica, faults: list[Finding]) -> IndexInfo | None:
    try:
        return await RetrieverClient(one.channel).get_index(deadline=Deadline.after(_TIMEOUT_S))
    except VitrineError as error:
        faults.append(unknown(f"{one.name} does not tell its index: {error.message}", "see parts.health"))
        return None


def _alike(what: str, digests: Mapping[str, Sequence[str]], todo: str) -> Finding:
    if len(set(map(tuple, digests.values()))) > 1:
        return problem(f"{what} differ: {'; '.join(f'{name} {_short(own)}' for name, own in digests.items())}", todo)
    return ok(f"{what}: {_short(next(iter(digests.values())))}")


def _short(digests: Sequence[str]) -> str:
    return ", ".join(f"{digest[:_SHOWN]}…" for digest in digests) or "none"


def _recall(name: str, found: float | None, floor: float, products: int) -> Finding:
    if not products:
        return warning(f"{name} holds no products", "vitrine ingest FEED")
    if found is None:
        return ok(f"{name} holds {products:,} products; no search was sampled yet")
    if found < floor:
        return problem(
            f"{name} finds {found:.1%} of what exact search finds, below its floor {floor:.1%}",
            "raise VITRINE_RETRIEVER_EXAMINED_SHARE, or give vectors more memory (storage)",
        )
    return ok(f"{name} holds {products:,} products and finds {found:.1%} of what exact search finds")
