"""What several services share: lanes, packed vectors, item outcomes and model names."""

from typing import Any

from vitrine.errors import VitrineError, invalid
from vitrine.ports import ItemOutcome, Lane, ModelInfo, Shortfall
from vitrine.status import error_of, status_of
from vitrine.v1 import common_pb2
from vitrine.vectors import FloatArray, VectorDtype, pack_vectors, unpack_vectors

_LANES: dict[int, Lane] = {
    common_pb2.LANE_UNSPECIFIED: Lane.LIVE,
    common_pb2.LANE_LIVE: Lane.LIVE,
    common_pb2.LANE_BULK: Lane.BULK,
}
_LANE_VALUES = {Lane.LIVE: common_pb2.LANE_LIVE, Lane.BULK: common_pb2.LANE_BULK}

_DTYPES: dict[int, VectorDtype] = {
    common_pb2.VECTOR_TYPE_UNSPECIFIED: "float32",
    common_pb2.VECTOR_TYPE_FLOAT32: "float32",
    common_pb2.VECTOR_TYPE_FLOAT16: "float16",
}
_DTYPE_VALUES = {"float32": common_pb2.VECTOR_TYPE_FLOAT32, "float16": common_pb2.VECTOR_TYPE_FLOAT16}

_SHORTFALLS: dict[int, Shortfall | None] = {
    common_pb2.SHORTFALL_UNSPECIFIED: None,
    common_pb2.SHORTFALL_NO_MORE_MATCHES: Shortfall.NO_MORE_MATCHES,
    common_pb2.SHORTFALL_WINDOW_END: Shortfall.WINDOW_END,
}
_SHORTFALL_VALUES = {reason: value for value, reason in _SHORTFALLS.items()}


def lane_to_message(lane: Lane) -> Any:
    """The enum value of a lane."""
    return _LANE_VALUES[lane]


def lane_from_message(value: int, field: str = "lane") -> Lane:
    """The lane of an enum value; unset is LIVE. Raises InvalidArgument for an unknown value."""
    if value not in _LANES:
        raise invalid(field, f"{value} is not a Lane; use LANE_LIVE or LANE_BULK")
    return _LANES[value]


def dtype_from_message(value: int, field: str = "vector_type") -> VectorDtype:
    """The number format of an enum value; unset is float32. Raises InvalidArgument for an unknown value."""
    if value not in _DTYPES:
        raise invalid(field, f"{value} is not a VectorType; use VECTOR_TYPE_FLOAT32 or VECTOR_TYPE_FLOAT16")
    return _DTYPES[value]


def dtype_to_message(dtype: VectorDtype) -> Any:
    """The enum value of a number format."""
    return _DTYPE_VALUES[dtype]


def shortfall_to_message(shortfall: Shortfall | None) -> Any:
    """The enum value of a shortfall; none is UNSPECIFIED."""
    return _SHORTFALL_VALUES[shortfall]


def shortfall_from_message(value: int) -> Shortfall | None:
    """The shortfall of an enum value. Raises KeyError for a value that this contract does not know."""
    return _SHORTFALLS[value]


def vectors_to_message(vectors: FloatArray, dtype: VectorDtype = "float32") -> common_pb2.PackedVectors:
    """(n, dim) float32 as PackedVectors."""
    return common_pb2.PackedVectors(
        data=pack_vectors(vectors, dtype), dim=vectors.shape[1], type=dtype_to_message(dtype)
    )


def vectors_from_message(message: common_pb2.PackedVectors, field: str = "vectors") -> FloatArray:
    """The (n, dim) float32 array of a PackedVectors. Raises InvalidArgument naming `field`."""
    dtype = dtype_from_message(message.type, f"{field}.type")
    return unpack_vectors(message.data, message.dim, dtype, field=field)


def error_to_message(error: VitrineError | None) -> Any:
    """The google.rpc.Status of an item's error; None where it went well, which leaves the field unset."""
    return None if error is None else status_of(error)


def error_from_message(status: Any) -> VitrineError | None:
    """The error of an item's google.rpc.Status; None for code 0."""
    return error_of(status) if status.code else None


def outcome_to_message(index: int, outcome: ItemOutcome) -> common_pb2.ItemOutcome:
    """The outcome of the request's item `index`."""
    return common_pb2.ItemOutcome(index=index, id=outcome.id, status=error_to_message(outcome.error))


def outcome_from_message(message: common_pb2.ItemOutcome) -> ItemOutcome:
    """The outcome without its index: outcomes are kept in the order of the request."""
    return ItemOutcome(message.id, error_from_message(message.status))


def model_info_to_message(info: ModelInfo) -> common_pb2.ModelInfo:
    """A model's name, field by field."""
    return common_pb2.ModelInfo(
        name=info.name,
        version=info.version,
        digest=info.digest,
        dim=info.dim,
        max_tokens=info.max_tokens,
        languages=info.languages,
        runtime=info.runtime,
    )


def model_info_from_message(message: common_pb2.ModelInfo) -> ModelInfo:
    """A model's name, field by field."""
    return ModelInfo(
        name=message.name,
        version=message.version,
        digest=message.digest,
        dim=message.dim,
        max_tokens=message.max_tokens,
        languages=tuple(message.languages),
        runtime=message.runtime,
    )
