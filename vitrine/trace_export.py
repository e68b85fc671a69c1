"""Sends spans to an OpenTelemetry collector, over OTLP in gRPC, from a thread of its own."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from vitrine.errors import FailedPrecondition
from vitrine.shown_address import shown_address
from vitrine.tracing import record_by

_log = structlog.get_logger(__name__)

_FLUSH_S = 1.0


class TracingSettings(BaseSettings):
    """Where the spans of every process go, and of how many calls; OTEL_… is what collectors' makers document.

    What else the OpenTelemetry SDK reads (OTEL_EXPORTER_OTLP_HEADERS, …_CERTIFICATE, OTEL_BSP_…) holds too.
    """

    model_config = SettingsConfigDict(env_prefix="VITRINE_TRACING_", frozen=True, populate_by_name=True)

    endpoint: str = Field(
        "",
        validation_alias=AliasChoices("VITRINE_TRACING_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="OTLP/gRPC address of a collector, such as http://127.0.0.1:4317 (also read from "
        "OTEL_EXPORTER_OTLP_ENDPOINT); empty: no spans are made",
    )
    sample_share: float = Field(
        0.1,
        ge=0,
        le=1,
        validation_alias=AliasChoices("VITRINE_TRACING_SAMPLE_SHARE", "OTEL_TRACES_SAMPLER_ARG"),
        description="share of the calls without a traceparent that are traced (also read from "
        "OTEL_TRACES_SAMPLER_ARG); those with one follow what it says",
    )


@contextmanager
def exported_traces(service: str, settings: TracingSettings) -> Iterator[None]:
    """Makes spans and sends them while the block runs; what waits is sent on the way out, as far as it is taken.

    Raises FailedPrecondition when the endpoint is not an address.
    """
    if not settings.endpoint:
        yield
        return
    if not settings.endpoint.startswith(("http://", "https://")):
        raise FailedPrecondition(
            f"VITRINE_TRACING_ENDPOINT is {settings.endpoint!r}; give an address such as http://127.0.0.1:4317"
        )
    # They take a moment to import, which nobody pays who sends no spans.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    # A replica is told from another by its host and process; OTEL_RESOURCE_ATTRIBUTES adds to these.
    instance = f"{os.uname().nodename}:{os.getpid()}"
    resource = Resource.create({SERVICE_NAME: f"vitrine-{service}", SERVICE_INSTANCE_ID: instance})
    provider = TracerProvider(ParentBasedTraceIdRatio(settings.sample_share), resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(settings.endpoint, insecure=settings.endpoint.startswith("http://"))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    record_by(provider)
    _log.info("tracing", endpoint=shown_address(settings.endpoint), sample_share=settings.sample_share)
    try:
        yield
    finally:
        record_by(None)
        # A collector that is away would hold up the end of the process for its time-outs and retries.
        impatience = threading.Timer(_FLUSH_S, exporter.shutdown)
        impatience.daemon = True
        impatience.start()
        provider.shutdown()
        impatience.cancel()
