"""The settings tables of the pages that have one, as the code has them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from cli.ingest.settings import IngestSettings
from cli.up.settings import UpSettings
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
from vitrine.gateway_client import ClientSettings
from vitrine.tls import TlsSettings
from vitrine.trace_export import TracingSettings

# The settings class of each process, by the part of the variables' names that stands for it.
CLASSES: dict[str, type[BaseSettings]] = {
    "GATEWAY": GatewaySettings,
    "EMBEDDER": EmbedderSettings,
    "RETRIEVER": RetrieverSettings,
    "RANKER": RankerSettings,
    "UP": UpSettings,
    "INGEST": IngestSettings,
}
SECURITY: dict[str, type[BaseSettings]] = {"AUTH": AuthSettings, "TLS": TlsSettings, "CLIENT": ClientSettings}
EVENTS: dict[str, type[BaseSettings]] = {"EVENTS": EventsSettings}
RECOMMENDATION: dict[str, type[BaseSettings]] = {"RECOMMENDATION": RecommendationSettings}
ADS: dict[str, type[BaseSettings]] = {"ADS": AdsSettings}
EXPERIMENTS: dict[str, type[BaseSettings]] = {"EXPERIMENTS": ExperimentsSettings}
SUGGEST: dict[str, type[BaseSettings]] = {"SUGGEST": SuggestSettings}
TRACING: dict[str, type[BaseSettings]] = {"TRACING": TracingSettings}
SERVERS = ["GATEWAY", "EMBEDDER", "RETRIEVER", "RANKER"]

HEADER = ["| variable | default | meaning |", "|---|---|---|"]


def settings_table(classes: dict[str, type[BaseSettings]]) -> list[str]:
    """The table's lines: a setting that several processes have alike is one row, `*` where all four servers have it."""
    processes: dict[tuple[str, str, str], list[str]] = {}
    for process, settings in classes.items():
        prefix = settings.model_config["env_prefix"]
        assert prefix == f"VITRINE_{process}_", f"{settings.__name__} has the prefix {prefix}"
        for name, default, meaning in _fields(settings):
            processes.setdefault((name, default, meaning), []).append(process)
    rows = (
        f"| `VITRINE_{_together(owners)}_{name}` | {default} | {meaning} |"
        for (name, default, meaning), owners in processes.items()
    )
    return HEADER + sorted(rows)


def _together(processes: list[str]) -> str:
    if processes == SERVERS:
        return "*"
    return processes[0] if len(processes) == 1 else "{" + ",".join(processes) + "}"


def _fields(model: type[BaseModel], outer: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{outer}{name.upper()}__")
        else:
            assert field.description, f"{model.__name__}.{name} has no description"
            yield outer + name.upper(), _default(field), field.description.replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    default: Any = field.get_default(call_default_factory=True)
    if default is None:
        return "unset"
    if default in ("", ()):
        return "empty"
    return f"`{default.as_posix() if isinstance(default, Path) else default}`"
