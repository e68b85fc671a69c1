"""Releases over the wire."""

import re
from datetime import UTC, datetime

from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.messages.user_event import time_from_message
from vitrine.ports.release import Generation, Release, ReleaseGates, ReleaseRecord
from vitrine.v1 import release_pb2, release_store_service_pb2

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_DIGEST = re.compile(r"(sha256:[0-9a-f]{64})?")


def release_from_message(message: release_pb2.Release, field: str = "release") -> Release:
    """A release as somebody asks for it. Raises InvalidArgument naming every wrong field."""
    violations = []
    if not _NAME.fullmatch(message.name):
        fault = f"{message.name!r} is no name: give 1 to 40 letters, digits, - and _, a letter or digit first"
        violations.append(FieldViolation(f"{field}.name", fault))
    for part in ("embedder_digest", "ranker_digest", "recommender_digest"):
        if not _DIGEST.fullmatch(given := getattr(message, part)):
            fault = f"{given!r} is no digest; copy that of a bundle.json: sha256: and 64 digits"
            violations.append(FieldViolation(f"{field}.{part}", fault))
    if violations:
        raise InvalidArgument(*violations)
    return Release(
        name=message.name,
        embedder_digest=message.embedder_digest,
        ranker_digest=message.ranker_digest,
        recommender_digest=message.recommender_digest,
        create_time=time_from_message(message.create_time, f"{field}.create_time")
        if message.HasField("create_time")
        else None,
        gates=_gates_from_message(message.gates) if message.HasField("gates") else None,
    )


def release_to_message(release: Release) -> release_pb2.Release:
    """A release with what is known of it."""
    message = release_pb2.Release(
        name=release.name,
        embedder_digest=release.embedder_digest,
        ranker_digest=release.ranker_digest,
        recommender_digest=release.recommender_digest,
    )
    if release.create_time is not None:
        message.create_time.FromDatetime(release.create_time)
    if (gates := release.gates) is not None:
        message.gates.CopyFrom(
            release_pb2.ReleaseGates(
                recall=gates.recall,
                queries=gates.queries,
                ndcg=gates.ndcg,
                ndcg_serving=gates.ndcg_serving,
                difference_low=gates.difference_low,
                faults=gates.faults,
            )
        )
        message.gates.time.FromDatetime(gates.time)
    return message


def _gates_from_message(message: release_pb2.ReleaseGates) -> ReleaseGates:
    return ReleaseGates(
        time=message.time.ToDatetime(tzinfo=UTC) if message.HasField("time") else datetime.now(UTC),
        recall=message.recall if message.HasField("recall") else None,
        queries=message.queries,
        ndcg=message.ndcg,
        ndcg_serving=message.ndcg_serving,
        difference_low=message.difference_low,
        faults=tuple(message.faults),
    )


def generation_to_message(generation: Generation) -> release_pb2.Generation:
    """A generation, field by field."""
    return release_pb2.Generation(
        model_digest=generation.model_digest,
        dim=generation.dim,
        vectors=generation.vectors,
        missing=generation.missing,
        searchable=generation.searchable,
    )


def generation_from_message(message: release_pb2.Generation) -> Generation:
    """A generation, field by field."""
    return Generation(message.model_digest, message.dim, message.vectors, message.missing, message.searchable)


def record_to_message(record: ReleaseRecord) -> release_store_service_pb2.GetReleasesResponse:
    """What the store keeps."""
    return release_store_service_pb2.GetReleasesResponse(
        releases=map(release_to_message, record.releases),
        serving=record.serving,
        previous=record.previous or "",
        rollback_possible=record.previous is not None,
        generations=map(generation_to_message, record.generations),
    )


def record_from_message(message: release_store_service_pb2.GetReleasesResponse) -> ReleaseRecord:
    """What the store keeps, as plain data."""
    return ReleaseRecord(
        releases=tuple(map(release_from_message, message.releases)),
        serving=message.serving,
        previous=message.previous if message.rollback_possible else None,
        generations=tuple(map(generation_from_message, message.generations)),
    )
