"""The data files that ghz sends: serialized requests, made for the suite that is under test."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import grpc
from google.protobuf import descriptor, descriptor_pb2, proto
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from loadtest.mixes import fresh_queries, popular_queries, zipf_draws
from vitrine.messages.product import product_from_message
from vitrine.product_text import ranking_text
from vitrine.v1 import (
    common_pb2,
    embedder_service_pb2,
    embedder_service_pb2_grpc,
    ranker_service_pb2,
    retriever_service_pb2,
    retriever_service_pb2_grpc,
    search_service_pb2,
)

POPULAR = 1_000
FRESH = 20_000
_EMBED_BATCH = 64
_RANK_CANDIDATES = 50
_RANK_QUERIES = 100
_TIMEOUT_S = 60.0
_INPUT_QUERY = embedder_service_pb2.INPUT_TYPE_QUERY


def write_messages(path: Path, messages: Iterable[Message]) -> None:
    """Writes messages as ghz reads them: each after its length. Those that ghz would take for a template (the bytes of
    a vector may hold "{{") are left out."""
    buffer = io.BytesIO()
    for message in messages:
        if b"{{" not in message.SerializeToString():
            proto.serialize_length_prefixed(message, buffer)
    path.write_bytes(buffer.getbuffer())


def write_descriptors(path: Path) -> None:
    """Writes what ghz needs to know of the services. It asks no server: Python's reflection does not find a method
    by its full name, which is how ghz asks (grpc#34743)."""
    files: dict[str, descriptor.FileDescriptor] = {}

    def add(file: descriptor.FileDescriptor) -> None:
        for needed in file.dependencies:
            add(needed)
        files[file.name] = file

    for module in (embedder_service_pb2, retriever_service_pb2, ranker_service_pb2, search_service_pb2, health_pb2):
        add(module.DESCRIPTOR)
    descriptors = descriptor_pb2.FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(descriptors.file.add())
    path.write_bytes(descriptors.SerializeToString())


def write_requests(folder: Path, *, embedder: str, retriever: str, seed: int) -> None:
    """Writes a data file for each stage; vectors and candidates come from the running embedder and retriever."""
    popular = popular_queries(POPULAR, seed=1)
    fresh = fresh_queries(FRESH, seed)
    with _channel(embedder) as channel:
        vectors, digest = _embed(channel, fresh[:POPULAR])
    retrievals = [
        retriever_service_pb2.RetrieveRequest(
            text=text, vector=vector, model_digest=digest, depth=200, product_limit=_RANK_CANDIDATES
        )
        for text, vector in zip(fresh, vectors, strict=False)
    ]
    with _channel(retriever) as channel:
        rankings = _rankings(channel, retrievals[:_RANK_QUERIES])
    write_messages(folder / "noop.bin", [health_pb2.HealthCheckRequest()])
    write_messages(folder / "search_warm_up.bin", map(_search, popular))
    write_messages(folder / "search_hot.bin", map(_search, zipf_draws(popular, FRESH, seed)))
    write_messages(folder / "search_cold.bin", map(_search, fresh))
    write_messages(folder / "embed.bin", (_embed_request([text]) for text in fresh))
    write_messages(
        folder / "embed_stream.bin",
        (
            embedder_service_pb2.EmbedStreamRequest(request=_embed_request(fresh[start : start + 8]))
            for start in range(0, 32, 8)
        ),
    )
    write_messages(folder / "retrieve.bin", retrievals)
    write_messages(folder / "rank.bin", rankings)


def _channel(target: str) -> grpc.Channel:
    return grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)])


def _search(query: str) -> search_service_pb2.SearchRequest:
    return search_service_pb2.SearchRequest(query=query)


def _embed_request(texts: Sequence[str]) -> embedder_service_pb2.EmbedRequest:
    return embedder_service_pb2.EmbedRequest(texts=texts, input_type=_INPUT_QUERY)


def _embed(channel: grpc.Channel, texts: Sequence[str]) -> tuple[list[common_pb2.PackedVectors], str]:
    """One packed vector for each text, and the digest of the model that made them."""
    stub = embedder_service_pb2_grpc.EmbedderServiceStub(channel)
    vectors: list[common_pb2.PackedVectors] = []
    digest = ""
    for start in range(0, len(texts), _EMBED_BATCH):
        reply = stub.Embed(_embed_request(texts[start : start + _EMBED_BATCH]), timeout=_TIMEOUT_S)
        digest = reply.model_digest
        width = 4 * reply.vectors.dim
        vectors += (
            common_pb2.PackedVectors(data=reply.vectors.data[at : at + width], dim=reply.vectors.dim)
            for at in range(0, len(reply.vectors.data), width)
        )
    return vectors, digest


def _rankings(
    channel: grpc.Channel, retrievals: Sequence[retriever_service_pb2.RetrieveRequest]
) -> list[ranker_service_pb2.RankRequest]:
    """What the gateway would ask of the ranker for each retrieval."""
    stub = retriever_service_pb2_grpc.RetrieverServiceStub(channel)
    rankings = []
    for request in retrievals:
        candidates = [
            ranker_service_pb2.RankCandidate(
                id=candidate.product_id,
                text=ranking_text(product_from_message(candidate.product)),
                revision=candidate.product.revision,
            )
            for candidate in stub.Retrieve(request, timeout=_TIMEOUT_S).candidates[:_RANK_CANDIDATES]
        ]
        rankings.append(ranker_service_pb2.RankRequest(query=request.text, candidates=candidates))
    return rankings
