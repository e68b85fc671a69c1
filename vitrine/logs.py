"""Logs: one JSON object a line on stderr, with the trace id, for our own and every library's messages."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from vitrine.sparing import Sparing
from vitrine.tracing import span_id, trace_id

# Levels that a call's own line may have.
CallLogLevel = Literal["debug", "info"]


def configure_logging(service: str, *, level: str = "info", style: Literal["json", "console"] = "json") -> None:
    """Sends all logs of the process to stderr; each line names the service. Call it once, at start.

    Of a warning of ours that comes again and again some lines a second are written.
    """

    def named(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        if trace := trace_id():
            event.setdefault("trace_id", trace)
            event.setdefault("span_id", span_id())
        return event

    warnings = Sparing()

    def spared(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        # While a part is away each call has the same to say.
        if method == "warning":
            more = warnings.fields((logger.name, event["event"]))
            if more is None:
                raise structlog.DropEvent
            event.update(more)
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        named,
    ]
    last: list[Processor] = [
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    ]
    if style == "json":
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            spared,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
