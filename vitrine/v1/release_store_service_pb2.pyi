from vitrine.v1 import common_pb2 as _common_pb2
from vitrine.v1 import product_pb2 as _product_pb2
from vitrine.v1 import release_pb2 as _release_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetReleasesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetReleasesResponse(_message.Message):
    __slots__ = ("releases", "serving", "previous", "rollback_possible", "generations")
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    ROLLBACK_POSSIBLE_FIELD_NUMBER: _ClassVar[int]
    GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    releases: _containers.RepeatedCompositeFieldContainer[_release_pb2.Release]
    serving: str
    previous: str
    rollback_possible: bool
    generations: _containers.RepeatedCompositeFieldContainer[_release_pb2.Generation]
    def __init__(self, releases: _Optional[_Iterable[_Union[_release_pb2.Release, _Mapping]]] = ..., serving: _Optional[str] = ..., previous: _Optional[str] = ..., rollback_possible: bool = ..., generations: _Optional[_Iterable[_Union[_release_pb2.Generation, _Mapping]]] = ...) -> None: ...

class WriteReleaseRequest(_message.Message):
    __slots__ = ("release",)
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    release: _release_pb2.Release
    def __init__(self, release: _Optional[_Union[_release_pb2.Release, _Mapping]] = ...) -> None: ...

class WriteReleaseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RemoveReleaseRequest(_message.Message):
    __slots__ = ("name", "force")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    force: bool
    def __init__(self, name: _Optional[str] = ..., force: bool = ...) -> None: ...

class RemoveReleaseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ServeReleaseRequest(_message.Message):
    __slots__ = ("name", "expected_serving")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_SERVING_FIELD_NUMBER: _ClassVar[int]
    name: str
    expected_serving: str
    def __init__(self, name: _Optional[str] = ..., expected_serving: _Optional[str] = ...) -> None: ...

class ServeReleaseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListUnembeddedRequest(_message.Message):
    __slots__ = ("model_digest", "limit")
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    model_digest: str
    limit: int
    def __init__(self, model_digest: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListUnembeddedResponse(_message.Message):
    __slots__ = ("products", "rows")
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    products: _containers.RepeatedCompositeFieldContainer[_product_pb2.Product]
    rows: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, products: _Optional[_Iterable[_Union[_product_pb2.Product, _Mapping]]] = ..., rows: _Optional[_Iterable[int]] = ...) -> None: ...

class WriteVectorsRequest(_message.Message):
    __slots__ = ("model_digest", "rows", "vectors")
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    model_digest: str
    rows: _containers.RepeatedScalarFieldContainer[int]
    vectors: _common_pb2.PackedVectors
    def __init__(self, model_digest: _Optional[str] = ..., rows: _Optional[_Iterable[int]] = ..., vectors: _Optional[_Union[_common_pb2.PackedVectors, _Mapping]] = ...) -> None: ...

class WriteVectorsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BuildGenerationRequest(_message.Message):
    __slots__ = ("model_digest",)
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    model_digest: str
    def __init__(self, model_digest: _Optional[str] = ...) -> None: ...

class BuildGenerationResponse(_message.Message):
    __slots__ = ("generation", "recall")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    generation: _release_pb2.Generation
    recall: float
    def __init__(self, generation: _Optional[_Union[_release_pb2.Generation, _Mapping]] = ..., recall: _Optional[float] = ...) -> None: ...

class AdoptGenerationRequest(_message.Message):
    __slots__ = ("model_digest", "before")
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    model_digest: str
    before: _release_pb2.Release
    def __init__(self, model_digest: _Optional[str] = ..., before: _Optional[_Union[_release_pb2.Release, _Mapping]] = ...) -> None: ...

class AdoptGenerationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
