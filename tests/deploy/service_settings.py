"""The settings classes that each service reads its environment by."""

import os
from collections.abc import Iterator, Mapping
from unittest.mock import patch

from pydantic_settings import BaseSettings

from gateway.ads.settings import AdsSettings
from gateway.auth.settings import AuthSettings
from gateway.events.settings import EventsSettings
from gateway.experiments.settings import ExperimentsSettings
from gateway.recommendation.settings import RecommendationSettings
from gateway.settings import GatewaySettings
from gateway.suggest.settings import SuggestSettings
from services.embedder.settings import EmbedderSettings
from services.ranker.settings import RankerSettings
from services.retriever.settings import RetrieverSettings
from vitrine.server_settings import ServerSettings
from vitrine.tls import TlsSettings
from vitrine.trace_export import TracingSettings

SERVERS: dict[str, type[ServerSettings]] = {
    "gateway": GatewaySettings,
    "embedder": EmbedderSettings,
    "retriever": RetrieverSettings,
    "ranker": RankerSettings,
}
_OF_ALL = (TlsSettings, TracingSettings)
_OF_GATEWAY = (
    EventsSettings,
    RecommendationSettings,
    AuthSettings,
    AdsSettings,
    SuggestSettings,
    ExperimentsSettings,
)


def classes(service: str) -> tuple[type[BaseSettings], ...]:
    """All that the service reads, the server's own first."""
    return (SERVERS[service], *_OF_ALL, *(_OF_GATEWAY if service == "gateway" else ()))


def known(service: str) -> set[str]:
    """The variables that the service reads."""
    return {variable for settings in classes(service) for variable in _variables(settings)}


def read(settings: type[BaseSettings], environment: Mapping[str, str]) -> BaseSettings:
    """The settings of a process with this environment and no other. Raises pydantic's ValidationError."""
    with patch.dict(os.environ, environment, clear=True):
        return settings()


def _variables(settings: type[BaseSettings]) -> Iterator[str]:
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        yield f"{prefix}{name}".upper()
        choices = getattr(field.validation_alias, "choices", [field.validation_alias])
        yield from (choice for choice in choices if isinstance(choice, str))
