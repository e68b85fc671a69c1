"""Settings: variables that nothing reads, and values that cannot be read."""

import difflib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_settings import BaseSettings

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem
from cli.doctor.machine import Machine
from cli.ingest.settings import IngestSettings
from cli.up.settings import UpSettings
from gateway.ads.settings import AdsSettings
from gateway.auth.settings import AuthSettings
from gateway.auth.tokens import Tokens
from gateway.events.settings import EventsSettings
from gateway.experiments.definitions import read_definitions
from gateway.experiments.settings import ExperimentsSettings
from gateway.recommendation.settings import RecommendationSettings
from gateway.settings import GatewaySettings
from gateway.suggest.settings import SuggestSettings
from services.embedder.settings import EmbedderSettings
from services.ranker.settings import RankerSettings
from services.retriever.rules import read_rules
from services.retriever.settings import RetrieverSettings
from vitrine.client.settings import ClientSettings
from vitrine.errors import FailedPrecondition
from vitrine.tls import TlsSettings
from vitrine.trace_export import TracingSettings
from vitrine.wrong_settings import wrong_settings

CLASSES: tuple[type[BaseSettings], ...] = (
    GatewaySettings,
    EmbedderSettings,
    RetrieverSettings,
    RankerSettings,
    AdsSettings,
    AuthSettings,
    ClientSettings,
    EventsSettings,
    ExperimentsSettings,
    IngestSettings,
    RecommendationSettings,
    SuggestSettings,
    TlsSettings,
    TracingSettings,
    UpSettings,
)
# Put into the files of docker compose, and read by no process.
COMPOSE = frozenset(
    f"VITRINE_{name}"
    for name in (
        *(f"{part}_CPUS" for part in ("EMBEDDER", "GATEWAY", "MILVUS", "RANKER", "RETRIEVER")),
        *(
            "KEYS_DIR",
            "MILVUS_MEMORY",
            "POSTGRES_PASSWORD",
            "RECOMMENDER",
            "RETRIEVERS",
            "TLS_DIR",
        ),
    )
)
_START = "VITRINE_"


@check(
    "settings.names",
    "machine",
    tells="every VITRINE_ variable is one that something reads (misspelt ones, with the nearest name)",
)
async def names(_machine: Machine) -> AsyncIterator[Finding]:
    """A variable that nothing knows is passed over in silence by what starts."""
    known = {name for one in CLASSES for name in variables(one)} | COMPOSE
    said = {name.upper() for name in os.environ if name.upper().startswith(_START)}
    for name in sorted(said - known):
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        fix = f"did you mean {nearest[0]}? Else unset it" if nearest else "unset it; docs/settings.md lists all"
        yield problem(f"nothing reads {name}", fix)
    if said <= known:
        yield ok(f"{len(said)} variables are set, all known")


@check("settings.values", "machine", tells="every value can be read, and is within its bounds")
async def values(_machine: Machine) -> AsyncIterator[Finding]:
    """Each class as its process reads it; values are not shown, for they may be secrets."""
    well = True
    for one in CLASSES:
        try:
            one()
        except ValidationError as error:
            well = False
            for name, fault in wrong_settings(error):
                yield problem(f"{name}: {fault}", f"correct or unset {name} (docs/settings.md)")
    if well:
        yield ok("all can be read")


@check("settings.files", "machine", tells="files that settings name (rules, experiments, JWKS) are there and right")
async def files(_machine: Machine) -> AsyncIterator[Finding]:
    """Each by what reads it in the process."""
    auth = AuthSettings()
    named: list[tuple[str, Path | str | None, Callable[[], object]]] = [
        ("VITRINE_RETRIEVER_RULES", rules := RetrieverSettings().rules, lambda: read_rules(Path(rules or ""))),
        ("VITRINE_EXPERIMENTS_FILE", plan := ExperimentsSettings().file, lambda: read_definitions(Path(plan or ""))),
        # The file alone is read here; of an address only whether it may be one.
        ("VITRINE_AUTH_JWKS", auth.jwks, lambda: Tokens(auth)),
    ]
    for variable, place, read in named:
        if not place:
            continue
        try:
            read()
        except FailedPrecondition as error:
            yield problem(f"{variable}: {error.message}", f"correct it, or unset {variable}")
        else:
            yield ok(f"{variable}: {place}")
    if not any(place for _, place, _ in named):
        yield ok("no file of rules, experiments or token keys is set")


def variables(settings: type[BaseSettings]) -> Iterator[str]:
    """The names of the variables that a class reads, its aliases among them."""
    yield from _names(settings, _prefix(settings))


def _names(model: type[BaseModel], start: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield f"{start}{name.upper()}"
            yield from _names(field.annotation, f"{start}{name.upper()}__")
        elif isinstance(field.validation_alias, AliasChoices):
            yield from (str(choice) for choice in field.validation_alias.choices)
        else:
            yield f"{start}{name.upper()}"


def _prefix(settings: type[BaseSettings]) -> str:
    return settings.model_config.get("env_prefix", "")
