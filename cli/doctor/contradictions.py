"""Settings that contradict each other: each may be right, and together they cannot be meant."""

from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import urlsplit

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, warning
from cli.doctor.machine import Machine
from cli.doctor.network import server_settings
from gateway.auth.guard import is_loopback
from gateway.auth.settings import AuthSettings
from gateway.events.settings import EventsSettings
from gateway.recommendation.settings import RecommendationSettings
from gateway.settings import GatewaySettings
from services.embedder.settings import EmbedderSettings
from services.retriever.settings import RetrieverSettings
from vitrine.channel import ChannelSettings
from vitrine.client.settings import ClientSettings
from vitrine.errors import FailedPrecondition
from vitrine.server_settings import KEEPALIVE_TIME_S
from vitrine.tls import TlsSettings, client_tls, service_tls


@check(
    "settings.contradictions",
    "machine",
    tells="settings do not contradict each other: ports, time limits, sizes, TLS and keys, stores",
)
async def contradictions(_machine: Machine) -> AsyncIterator[Finding]:
    """Each rule by itself."""
    found = [
        finding for rule in (_ports, _tls, _doors, _times, _sizes, _stores, _recall, _releases) for finding in rule()
    ]
    for finding in found:
        yield finding
    if not found:
        yield ok("they agree")


def _ports() -> Iterator[Finding]:
    owners: dict[tuple[str, int], list[str]] = {}
    for name, part in server_settings().items():
        start = f"VITRINE_{name.upper()}_"
        used = {"PORT": part.port, "METRICS_PORT": part.metrics_port, "DEBUG_PORT": part.debug_port}
        if isinstance(part, GatewaySettings):
            used["HTTP_PORT"] = part.http_port
        for variable, port in used.items():
            if port:
                host = part.debug_host if variable == "DEBUG_PORT" else part.host
                owners.setdefault((host, port), []).append(f"{start}{variable}")
    for (_, port), variables in owners.items():
        if len(variables) > 1:
            yield problem(f"{' and '.join(variables)} are both {port}", f"give {variables[-1]} another port")


def _tls() -> Iterator[Finding]:
    suite, gateway, client = TlsSettings(), GatewaySettings(), ClientSettings()
    rules: tuple[Callable[[], object], ...] = (
        lambda: service_tls(suite),
        lambda: client_tls(suite),
        lambda: gateway.tls(suite),
        client.tls,
    )
    # Two of them may find the same.
    for message in dict.fromkeys(filter(None, map(_refusal, rules))):
        seen, _, todo = message.partition("; ")
        yield problem(seen, todo or "set both, or neither")
    if client.api_key is not None and client.api_key_file is not None:
        yield warning(
            "VITRINE_CLIENT_API_KEY and _API_KEY_FILE are both set, and the file's is sent", "unset one of them"
        )


def _refusal(rule: Callable[[], object]) -> str:
    try:
        rule()
    except FailedPrecondition as error:
        return error.message
    return ""


def _doors() -> Iterator[Finding]:
    gateway, auth, suite = GatewaySettings(), AuthSettings(), TlsSettings()
    if not is_loopback(gateway.host):
        if not auth.closed:
            yield warning(
                f"the gateway listens on {gateway.host} and asks nobody who he is",
                "vitrine key create, and set VITRINE_AUTH_KEYS_FILE",
            )
        elif gateway.tls_certificate is None and suite.certificate is None:
            yield warning(
                f"the gateway listens on {gateway.host} without TLS: keys travel in the clear",
                "set VITRINE_GATEWAY_TLS_CERTIFICATE and _KEY, or end TLS at a proxy before it",
            )
    if not auth.closed and auth.anonymous_scopes:
        yield problem(
            "VITRINE_AUTH_ANONYMOUS_SCOPES is set without keys or tokens: everybody may do everything",
            "set VITRINE_AUTH_KEYS_FILE or VITRINE_AUTH_JWKS too",
        )
    for name, part in server_settings().items():
        start = f"VITRINE_{name.upper()}"
        if part.debug_port is not None and not is_loopback(part.debug_host):
            yield warning(
                f"{start}_DEBUG_HOST is {part.debug_host}: stacks are shown to all", f"unset {start}_DEBUG_HOST"
            )
        if name != "gateway" and not is_loopback(part.host) and suite.certificate is None and auth.closed:
            yield warning(
                f"the {name} listens on {part.host} and asks nobody who he is, while the gateway does",
                "set VITRINE_TLS_CERTIFICATE, _KEY and _CA, or let only the gateway reach it",
            )


def _times() -> Iterator[Finding]:
    gateway = GatewaySettings()
    for name in ("embed_timeout_s", "rank_timeout_s", "retrieve_patience_s"):
        if getattr(gateway, name) >= gateway.default_timeout_s:
            variable = f"VITRINE_GATEWAY_{name.upper()}"
            yield problem(
                f"{variable} is not below VITRINE_GATEWAY_DEFAULT_TIMEOUT_S: searches fail where they could do without",
                f"lower {variable} below {gateway.default_timeout_s:g}",
            )
    if gateway.rank_reserve_s >= gateway.rank_timeout_s:
        yield problem("VITRINE_GATEWAY_RANK_RESERVE_S leaves the ranker no time", "lower it below _RANK_TIMEOUT_S")
    for name, part in server_settings().items():
        start = f"VITRINE_{name.upper()}"
        if part.min_ping_interval_s > KEEPALIVE_TIME_S:
            yield problem(
                f"{start}_MIN_PING_INTERVAL_S is above {KEEPALIVE_TIME_S:g}, as clients ping: they are sent away",
                f"set it to {KEEPALIVE_TIME_S:g} at most",
            )


def _sizes() -> Iterator[Finding]:
    gateway, most = GatewaySettings(), ChannelSettings().max_message_bytes
    if gateway.max_body_bytes > gateway.max_message_bytes:
        yield warning(
            "VITRINE_GATEWAY_MAX_BODY_BYTES is above _MAX_MESSAGE_BYTES: HTTP takes what gRPC refuses",
            "make them alike",
        )
    for name, part in server_settings().items():
        if name != "gateway" and part.max_message_bytes < most:
            variable = f"VITRINE_{name.upper()}_MAX_MESSAGE_BYTES"
            yield problem(f"{variable} is below {most}, what the gateway sends at most", f"unset {variable}")


def _stores() -> Iterator[Finding]:
    cache, events = GatewaySettings().redis_url, EventsSettings().redis_url
    if cache and events and _place(cache) == _place(events):
        yield problem(
            "cache and event store are one Redis: it evicts events, or refuses them when the cache fills it",
            "give VITRINE_EVENTS_REDIS_URL a Redis of its own (appendonly, noeviction)",
        )
    retriever = RetrieverSettings()
    if retriever.backend == "milvus" and retriever.storage != "auto":
        yield warning("VITRINE_RETRIEVER_STORAGE is of the backend faiss, and milvus is set", "unset it")


def _place(url: str) -> tuple[object, ...]:
    """Where a Redis is: two databases of one server have the same memory and the same policy."""
    split = urlsplit(url)
    return (split.path,) if split.scheme == "unix" else (split.hostname, split.port or 6379)


def _recall() -> Iterator[Finding]:
    settings = RetrieverSettings()
    if settings.recall_floor > settings.recall_target:
        yield problem(
            "VITRINE_RETRIEVER_RECALL_FLOOR is above _RECALL_TARGET: the retriever alerts while it does as it is told",
            "lower the floor below the target",
        )


def _releases() -> Iterator[Finding]:
    further = {
        "VITRINE_EMBEDDER_FURTHER_RECOMMENDERS": EmbedderSettings().further_recommenders,
        "VITRINE_RETRIEVER_FURTHER_RECOMMENDERS": RetrieverSettings().further_recommenders,
        "VITRINE_RECOMMENDATION_FURTHER_BUNDLES": RecommendationSettings().further_bundles,
    }
    counts = {name: len(folders) for name, folders in further.items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} {count}" for name, count in counts.items())
        yield warning(f"not all parts have the further recommenders: {said}", "name the same bundles in all three")
