"""The suite's methods, as its descriptors have them: none can be added without a load of its own."""

import importlib
import pkgutil
from dataclasses import dataclass

from google.protobuf import descriptor

from vitrine import v1

# Which process serves what is not public.
_INTERNAL = {
    "EmbedderService": "embedder",
    "RetrieverService": "retriever",
    "ReleaseStoreService": "retriever",
    "RankerService": "ranker",
}
NO_OP = "grpc.health.v1.Health/Check"


@dataclass(frozen=True, slots=True)
class Method:
    """A method, by `service/method` without the package, and the process that serves it."""

    name: str
    process: str
    is_unary: bool

    @property
    def call(self) -> str:
        """How ghz names it."""
        return self.name if self.name == NO_OP else f"vitrine.v1.{self.name}"


def methods() -> dict[str, Method]:
    """Every method by name, in the order of the files that declare them."""
    found = {NO_OP: Method(NO_OP, "gateway", True)}
    for file in service_files():
        for service in file.services_by_name.values():
            process = _INTERNAL.get(service.name, "gateway")
            for method in service.methods:
                name = f"{service.name}/{method.name}"
                is_unary = not (method.client_streaming or method.server_streaming)
                found[name] = Method(name, process, is_unary)
    return found


def service_files() -> list[descriptor.FileDescriptor]:
    """The files that declare services, by name."""
    names = sorted(one.name for one in pkgutil.iter_modules(v1.__path__) if one.name.endswith("_service_pb2"))
    return [importlib.import_module(f"{v1.__name__}.{name}").DESCRIPTOR for name in names]
