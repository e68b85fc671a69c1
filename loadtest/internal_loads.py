"""What is asked of each internal method. Those that change releases come last, and what they made goes at the end."""

from collections.abc import Sequence

from google.protobuf.message import Message

from loadtest.load import Load
from loadtest.material import MADE, OTHER_MODEL, VECTORS, Material, some
from loadtest.public_loads import only
from vitrine.v1 import common_pb2, release_pb2, user_event_pb2
from vitrine.v1 import embedder_service_pb2 as embedder
from vitrine.v1 import ranker_service_pb2 as ranker
from vitrine.v1 import release_store_service_pb2 as store
from vitrine.v1 import retriever_service_pb2 as retriever

_QUERY = embedder.INPUT_TYPE_QUERY
_HOT = 16
_RANKINGS = 400
_EXPLAINED = 4
_HISTORY = 20
_BEFORE = release_pb2.Release(name="before-load")


def _embed(texts: Sequence[str]) -> embedder.EmbedRequest:
    return embedder.EmbedRequest(texts=texts, input_type=_QUERY)


def _histories(material: Material) -> list[Message]:
    found, width = material.behaviour, 4 * material.behaviour.vectors.dim
    viewed = user_event_pb2.EVENT_TYPE_VIEW_ITEM
    items = [
        embedder.HistoryItem(vector_index=step, event_type=viewed, age_s=60.0 * (_HISTORY - step))
        for step in range(_HISTORY)
    ]
    return [
        embedder.EncodeHistoryRequest(
            histories=[embedder.History(items=items)],
            item_vectors=common_pb2.PackedVectors(
                data=found.vectors.data[width * start : width * (start + _HISTORY)], dim=found.vectors.dim
            ),
            recommender_digest=found.recommender_digest,
        )
        for start in range(len(found.product_ids) - _HISTORY)
    ]


def _rankings(material: Material, queries: Sequence[str]) -> list[Message]:
    lists = material.candidates
    return [
        ranker.RankRequest(query=query, candidates=lists[number % len(lists)]) for number, query in enumerate(queries)
    ]


def _explained(material: Material, queries: Sequence[str]) -> list[Message]:
    lists = material.candidates
    return [
        ranker.ExplainRequest(query=query, candidates=lists[number % len(lists)][:_EXPLAINED])
        for number, query in enumerate(queries)
    ]


def _anchors(ids: Sequence[str]) -> list[retriever.Anchor]:
    return [retriever.Anchor(product_id=id_, weight=1.0) for id_ in ids]


def _similar(material: Material) -> list[Message]:
    return [retriever.RetrieveSimilarRequest(anchors=_anchors(ids)) for ids in some(material.product_ids, 3)]


def _related(material: Material) -> list[Message]:
    relations = [retriever.RELATION_ALS, retriever.RELATION_ITEM_ITEM, retriever.RELATION_CO_PURCHASE]
    return [
        retriever.RetrieveRelatedRequest(anchors=_anchors(ids), relations=relations)
        for ids in some(material.product_ids, 3)
    ]


def _vectors(material: Material) -> list[Message]:
    return [retriever.GetBehaviourVectorsRequest(product_ids=ids) for ids in some(material.product_ids, 20)]


def _products(material: Material) -> list[Message]:
    return [retriever.GetProductsRequest(ids=ids) for ids in some(material.product_ids, 20)]


def _offers(material: Material) -> list[Message]:
    return [
        retriever.RetrieverServiceUpdateOffersRequest(offers=[retriever.Offer(id=id_, price=200.0 + number)])
        for number, id_ in enumerate(material.product_ids)
    ]


def _upsert(material: Material) -> list[Message]:
    written = retriever.ProductVector(product=material.product, vector_index=0)
    request = retriever.RetrieverServiceUpsertProductsRequest(products=[written], vectors=material.vectors[0])
    request.model_digest = material.model.model.digest
    return [request]


def _write_vectors(material: Material) -> list[Message]:
    rows = material.unembedded_rows[:VECTORS]
    return [
        store.WriteVectorsRequest(model_digest=OTHER_MODEL, rows=[row], vectors=vector)
        for row, vector in zip(rows, material.vectors, strict=False)
    ]


def _unembedded(material: Material) -> list[Message]:
    # The other model is one of the catalogue's only once a release of it is written.
    assert material.unembedded_rows
    return [store.ListUnembeddedRequest(model_digest=OTHER_MODEL, limit=10)]


def _serve(material: Material) -> list[Message]:
    return [store.ServeReleaseRequest(name=material.serving, expected_serving=material.serving)]


def _written(name: str) -> Message:
    return store.WriteReleaseRequest(release=release_pb2.Release(name=name))


INTERNAL = {
    "EmbedderService/GetModel": Load(only(embedder.EmbedderServiceGetModelRequest())),
    "EmbedderService/Embed": Load(
        lambda m: [_embed([text]) for text in m.fresh[:_HOT]], lambda m: [_embed([text]) for text in m.fresh[_HOT:]]
    ),
    "EmbedderService/EmbedStream": Load(
        lambda m: [
            embedder.EmbedStreamRequest(request=_embed(m.fresh[start : start + 8])) for start in range(0, 32, 8)
        ],
        in_flight=4,
    ),
    "EmbedderService/EncodeHistory": Load(lambda m: _histories(m)[:_HOT], lambda m: _histories(m)[_HOT:]),
    "RankerService/GetModel": Load(only(ranker.RankerServiceGetModelRequest())),
    "RankerService/Rank": Load(
        lambda m: _rankings(m, m.fresh[:4]), lambda m: _rankings(m, m.fresh[4:_RANKINGS]), in_flight=4
    ),
    "RankerService/Explain": Load(
        lambda m: _explained(m, m.fresh[:1]), lambda m: _explained(m, m.fresh[1:_RANKINGS]), in_flight=2
    ),
    "RetrieverService/Retrieve": Load(lambda m: m.retrievals[:_HOT], lambda m: m.retrievals[_HOT:]),
    "RetrieverService/RetrieveSimilar": Load(lambda m: _similar(m)[:_HOT], lambda m: _similar(m)[_HOT:]),
    "RetrieverService/RetrieveRelated": Load(lambda m: _related(m)[:_HOT], lambda m: _related(m)[_HOT:]),
    "RetrieverService/GetBehaviourVectors": Load(lambda m: _vectors(m)[:_HOT], lambda m: _vectors(m)[_HOT:]),
    "RetrieverService/ListNewestProducts": Load(only(retriever.ListNewestProductsRequest(limit=20))),
    "RetrieverService/GetProducts": Load(lambda m: _products(m)[:_HOT], lambda m: _products(m)[_HOT:]),
    "RetrieverService/Suggest": Load(
        lambda m: [retriever.RetrieverServiceSuggestRequest(text=query[:4]) for query in m.popular],
        lambda m: [retriever.RetrieverServiceSuggestRequest(text=query[:40]) for query in m.fresh],
    ),
    "RetrieverService/ListProductDigests": Load(
        only(retriever.RetrieverServiceListProductDigestsRequest(page_size=100))
    ),
    "RetrieverService/GetIndex": Load(only(retriever.GetIndexRequest())),
    "RetrieverService/GetVersion": Load(only(retriever.GetVersionRequest())),
    "RetrieverService/UpdateOffers": Load(lambda m: _offers(m)[:1], _offers, changes=True),
    "RetrieverService/UpsertProducts": Load(_upsert, in_flight=4, changes=True),
    "RetrieverService/DeleteProducts": Load(
        only(retriever.RetrieverServiceDeleteProductsRequest(ids=["load-gone"])),
        lambda m: [retriever.RetrieverServiceDeleteProductsRequest(ids=[id_]) for id_ in m.extra_ids[MADE // 2 :]],
        in_flight=4,
        changes=True,
    ),
    "ReleaseStoreService/GetReleases": Load(only(store.GetReleasesRequest())),
    "ReleaseStoreService/WriteRelease": Load(
        only(_written("store")),
        lambda _: [_written(f"store-{number}") for number in range(MADE)],
        in_flight=4,
        whole=True,
        changes=True,
    ),
    "ReleaseStoreService/ServeRelease": Load(_serve, in_flight=1, changes=True),
    "ReleaseStoreService/ListUnembedded": Load(_unembedded, in_flight=4, changes=True),
    "ReleaseStoreService/WriteVectors": Load(
        lambda m: _write_vectors(m)[:1], lambda m: _write_vectors(m)[1:], in_flight=4, changes=True
    ),
    "ReleaseStoreService/BuildGeneration": Load(
        only(store.BuildGenerationRequest(model_digest=OTHER_MODEL)), in_flight=4, changes=True
    ),
    "ReleaseStoreService/AdoptGeneration": Load(
        lambda m: [store.AdoptGenerationRequest(model_digest=m.model.model.digest, before=_BEFORE)],
        in_flight=1,
        changes=True,
    ),
    "ReleaseStoreService/RemoveRelease": Load(
        cold=lambda _: [
            store.RemoveReleaseRequest(name=name)
            for name in ("load-other", "store", *(f"store-{number}" for number in range(MADE)))
        ],
        in_flight=4,
        whole=True,
        changes=True,
    ),
}
