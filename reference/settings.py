"""The page of settings: every field of every settings class, by its environment variable."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
from reference.markdown import plain, table
from services.embedder.settings import EmbedderSettings
from services.ranker.settings import RankerSettings
from services.retriever.settings import RetrieverSettings
from vitrine.client.settings import ClientSettings
from vitrine.server_settings import ServerSettings
from vitrine.tls import TlsSettings
from vitrine.trace_export import TracingSettings


@dataclass(frozen=True, slots=True)
class Section:
    """One class's settings: heading, what is said of them, and the class."""

    title: str
    about: str
    settings: type[BaseSettings]


SECTIONS = (
    Section("Gateway", "Read by the gateway. See [performance](performance.md).", GatewaySettings),
    Section("Events", "The event store, read by the gateway: see [events](events.md).", EventsSettings),
    Section("Recommendation", "Read by the gateway: see [recommendation](recommendation.md).", RecommendationSettings),
    Section("Ads", "Read by the gateway: see [ads](ads.md).", AdsSettings),
    Section("Experiments", "Read by the gateway: see [experiments](experiments.md).", ExperimentsSettings),
    Section("Suggestions", "Read by the gateway: see [suggest](suggest.md).", SuggestSettings),
    Section("Who may call", "Read by the gateway: see [security](security.md).", AuthSettings),
    Section("Embedder", "Read by the embedder.", EmbedderSettings),
    Section("Retriever", "Read by the retriever: see [indexes](indexes.md), [scaling](scaling.md).", RetrieverSettings),
    Section("Ranker", "Read by the ranker.", RankerSettings),
    Section("TLS between services", "Read by every server: see [security](security.md).", TlsSettings),
    Section("Traces", "Read by every server: see [observability](observability.md).", TracingSettings),
    Section("Commands that call a gateway", "See [security](security.md) and [commands](commands.md).", ClientSettings),
    Section("vitrine up", "What `vitrine up` adds to the settings of the servers that it starts.", UpSettings),
    Section("vitrine ingest", "See [feeds](feeds.md).", IngestSettings),
)
_SERVERS: dict[str, type[ServerSettings]] = {
    "GATEWAY": GatewaySettings,
    "EMBEDDER": EmbedderSettings,
    "RETRIEVER": RetrieverSettings,
    "RANKER": RankerSettings,
}
_INTRODUCTION = """# Settings

All are environment variables, read once when a process starts. A value that cannot be is refused with one line that
names the variable. Lists are written with commas; a file or folder is a path as the process sees it.

"""


def settings_page() -> str:
    """The page."""
    common = f"`*` is each of {', '.join(_SERVERS)}, as in `VITRINE_RANKER_LOG_LEVEL`."
    parts = [_INTRODUCTION, f"## Every server\n\n{common}\n\n", _table(ServerSettings, "VITRINE_*_")]
    for section in SECTIONS:
        prefix = section.settings.model_config["env_prefix"]
        parts.append(f"## {section.title}\n\n{section.about}\n\n{_table(section.settings, prefix)}")
    return "".join(parts).rstrip() + "\n"


def _table(settings: type[BaseSettings], prefix: str) -> str:
    left_out = _own_fields() if settings is ServerSettings else _shared_fields(settings)
    schema = settings.model_json_schema(by_alias=False)
    rows = (
        (f"`{prefix}{name}`", _kind(form, schema), _default(field), plain(_meaning(name, field)))
        for name, field, form in _fields(settings, schema, schema)
        if name.lower() not in left_out
    )
    return table(("variable", "takes", "default", "meaning"), sorted(rows))


def _shared_fields(settings: type[BaseSettings]) -> set[str]:
    """Fields that a server has as every server has them."""
    return {
        name
        for name, shared in ServerSettings.model_fields.items()
        if (field := settings.model_fields.get(name)) is not None
        and (shared.default, shared.description) == (field.default, field.description)
    }


def _own_fields() -> set[str]:
    """Fields that each server has in its own way, such as its port."""
    return set(ServerSettings.model_fields).difference(*map(_shared_fields, _SERVERS.values()))


def _fields(
    model: type[BaseModel], form: Mapping[str, Any], schema: Mapping[str, Any], outer: str = ""
) -> Iterator[tuple[str, FieldInfo, Mapping[str, Any]]]:
    """Name, field and JSON schema of each; those of an inner model as OUTER__INNER."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        its_form = form["properties"][name]
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _fields(inner, schema["$defs"][inner.__name__], schema, f"{outer}{name.upper()}__")
        else:
            yield outer + name.upper(), field, its_form


def _kind(form: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What a variable takes: its values, or its type and bounds."""
    if "anyOf" in form:
        # The other one is null, for what may be left unset.
        return _kind(next(one for one in form["anyOf"] if one.get("type") != "null"), schema)
    if "$ref" in form:
        return _kind(schema["$defs"][form["$ref"].rpartition("/")[2]], schema)
    if "enum" in form:
        return ", ".join(f"`{value}`" for value in form["enum"])
    if "const" in form:
        return f"`{form['const']}`"
    kind = {"array": "list", "boolean": "`true`, `false`", "string": form.get("format", "text")}.get(
        form["type"], form["type"]
    )
    bounds = [
        f"{sign} {form[name]}"
        for name, sign in (("minimum", "≥"), ("exclusiveMinimum", "\\>"), ("maximum", "≤"), ("exclusiveMaximum", "\\<"))
        if name in form
    ]
    return " ".join([kind, ", ".join(bounds)]).strip()


def _meaning(name: str, field: FieldInfo) -> str:
    if not field.description:
        raise ValueError(f"the setting {name} has no description")
    return field.description


def _default(field: FieldInfo) -> str:
    default: Any = field.get_default(call_default_factory=True)
    if default is None:
        return "unset"
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    if str(getattr(default, "get_secret_value", lambda: default)()) == "":
        return "empty"
    if isinstance(default, bool):
        default = str(default).lower()
    return f"`{default.as_posix() if isinstance(default, Path) else default}`"
