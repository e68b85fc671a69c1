from vitrine.v1 import release_pb2 as _release_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReleaseStatus(_message.Message):
    __slots__ = ("release", "serving", "previous", "faults")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    release: _release_pb2.Release
    serving: bool
    previous: bool
    faults: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, release: _Optional[_Union[_release_pb2.Release, _Mapping]] = ..., serving: bool = ..., previous: bool = ..., faults: _Optional[_Iterable[str]] = ...) -> None: ...

class ListReleasesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListReleasesResponse(_message.Message):
    __slots__ = ("releases", "generations")
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    releases: _containers.RepeatedCompositeFieldContainer[ReleaseStatus]
    generations: _containers.RepeatedCompositeFieldContainer[_release_pb2.Generation]
    def __init__(self, releases: _Optional[_Iterable[_Union[ReleaseStatus, _Mapping]]] = ..., generations: _Optional[_Iterable[_Union[_release_pb2.Generation, _Mapping]]] = ...) -> None: ...

class CreateReleaseRequest(_message.Message):
    __slots__ = ("release",)
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    release: _release_pb2.Release
    def __init__(self, release: _Optional[_Union[_release_pb2.Release, _Mapping]] = ...) -> None: ...

class CreateReleaseResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: ReleaseStatus
    def __init__(self, status: _Optional[_Union[ReleaseStatus, _Mapping]] = ...) -> None: ...

class JudgedQuery(_message.Message):
    __slots__ = ("query", "gains")
    class GainsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    QUERY_FIELD_NUMBER: _ClassVar[int]
    GAINS_FIELD_NUMBER: _ClassVar[int]
    query: str
    gains: _containers.ScalarMap[str, float]
    def __init__(self, query: _Optional[str] = ..., gains: _Optional[_Mapping[str, float]] = ...) -> None: ...

class BuildReleaseRequest(_message.Message):
    __slots__ = ("name", "queries")
    NAME_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    queries: _containers.RepeatedCompositeFieldContainer[JudgedQuery]
    def __init__(self, name: _Optional[str] = ..., queries: _Optional[_Iterable[_Union[JudgedQuery, _Mapping]]] = ...) -> None: ...

class BuildReleaseResponse(_message.Message):
    __slots__ = ("done", "missing", "status")
    DONE_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    done: bool
    missing: int
    status: ReleaseStatus
    def __init__(self, done: bool = ..., missing: _Optional[int] = ..., status: _Optional[_Union[ReleaseStatus, _Mapping]] = ...) -> None: ...

class DeleteReleaseRequest(_message.Message):
    __slots__ = ("name", "force")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    force: bool
    def __init__(self, name: _Optional[str] = ..., force: bool = ...) -> None: ...

class DeleteReleaseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FlipReleaseRequest(_message.Message):
    __slots__ = ("name", "force")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    force: bool
    def __init__(self, name: _Optional[str] = ..., force: bool = ...) -> None: ...

class FlipReleaseResponse(_message.Message):
    __slots__ = ("releases",)
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    releases: ListReleasesResponse
    def __init__(self, releases: _Optional[_Union[ListReleasesResponse, _Mapping]] = ...) -> None: ...

class RollbackReleaseRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RollbackReleaseResponse(_message.Message):
    __slots__ = ("releases",)
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    releases: ListReleasesResponse
    def __init__(self, releases: _Optional[_Union[ListReleasesResponse, _Mapping]] = ...) -> None: ...

class AdoptReleaseRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class AdoptReleaseResponse(_message.Message):
    __slots__ = ("releases",)
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    releases: ListReleasesResponse
    def __init__(self, releases: _Optional[_Union[ListReleasesResponse, _Mapping]] = ...) -> None: ...
