"""A gRPC server with health that follows self-tests, reflection, and a stop that loses no call."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from pydantic import ValidationError

from vitrine import allocator, metrics
from vitrine.debug_server import debug_server
from vitrine.errors import FailedPrecondition, ResourceExhausted, VitrineError
from vitrine.fork import refuse_fork
from vitrine.guard import OPEN, Door, service_door
from vitrine.health import HealthServicer
from vitrine.interceptor import CallInterceptor
from vitrine.logs import configure_logging
from vitrine.reflection_pool import ReflectionPool
from vitrine.server_settings import KEEPALIVE_TIME_S, KEEPALIVE_TIMEOUT_S, ServerSettings
from vitrine.trace_export import TracingSettings, exported_traces

SelfTest = Callable[[], Awaitable[None]]
# Opens what a process serves, registers its servicers and yields its self-test; closes it all on the way out.
Part = Callable[["Server"], AbstractAsyncContextManager[SelfTest]]

_log = structlog.get_logger("vitrine.server")

_MIN_SELF_TEST_PAUSE_S = 1.0


class Server:
    """A server that listens, answers NOT_SERVING until its self-test has passed, and repeats the test while it runs."""

    def __init__(self, name: str, settings: ServerSettings, door: Door = OPEN) -> None:
        self.name = name
        self.settings = settings
        self.port = 0
        self._tls = door.tls
        self._interceptor = CallInterceptor(
            default_timeout_s=settings.default_timeout_s,
            max_message_bytes=settings.max_message_bytes,
            on_internal=self._suspect,
            log_level=settings.call_log_level,
            guard=door.guard,
        )
        self.grpc = grpc.aio.server(interceptors=(self._interceptor,), options=server_options(settings))
        self._health = HealthServicer()
        # First: gRPC takes in one call at a time of each method registered before the start, and one of all others, and
        # who asks how we are shall not stand in line with searches.
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        # Parts register servicers while the server runs: gRPC takes only generic handlers then, and warns of others.
        self.grpc.add_registered_method_handlers = lambda service, handlers: None  # type: ignore[attr-defined]
        self._self_tests: asyncio.Task[None] | None = None
        self._suspicion = asyncio.Event()
        self._tested_at_s = 0.0
        self._passed = asyncio.Event()

    @classmethod
    async def start(
        cls,
        name: str,
        settings: ServerSettings,
        add_services: Callable[[grpc.aio.Server], Sequence[str]],
        self_test: SelfTest,
        door: Door = OPEN,
    ) -> "Server":
        """A running server of services that are ready: `add_services` registers them and returns their full names.

        Raises FailedPrecondition when the port cannot be had.
        """
        server = cls(name, settings, door)
        await server.listen(add_services(server.grpc))
        server.open(self_test)
        return server

    async def listen(self, services: Sequence[str]) -> None:
        """Takes the port and answers health as NOT_SERVING, calls as UNAVAILABLE, until `open`."""
        self._health.names.update(services)
        if self.settings.reflection:
            names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self.grpc, ReflectionPool())  # type: ignore[arg-type]
        address = f"{self.settings.host}:{self.settings.port}"
        try:
            self.port = self._add_port(address)
        except RuntimeError as error:
            raise FailedPrecondition(f"cannot listen on {address}: {error}; is it in use?") from error
        await self.grpc.start()

    def _add_port(self, address: str) -> int:
        if self._tls is None:
            return self.grpc.add_insecure_port(address)
        return self.grpc.add_secure_port(address, self._tls.credentials())

    def open(self, self_test: SelfTest) -> None:
        """Lets calls in, and health follow `self_test` from now on; the services are registered by now."""
        self._interceptor.opened = True
        self._self_tests = asyncio.create_task(self._repeat(self_test), name=f"{self.name} self-test")

    @property
    def opened(self) -> bool:
        """Whether calls are let in."""
        return self._interceptor.opened

    async def serving(self) -> None:
        """Waits until a self-test has passed."""
        await self._passed.wait()

    async def stop(self, grace_s: float) -> None:
        """Stops: health says NOT_SERVING, new calls are refused, those in flight get `grace_s` seconds to finish."""
        if self._self_tests is not None:
            self._self_tests.cancel()
        self._health.end()
        ends_at_s = time.monotonic() + grace_s
        await self.grpc.stop(grace_s)
        # gRPC forgets handlers whose callers have their answer; they may still be in a `finally` that matters.
        try:
            async with asyncio.timeout(max(0.0, ends_at_s - time.monotonic())):
                await self._interceptor.idle()
        except TimeoutError:
            _log.warning("stopped with handlers still running", grace_s=grace_s)

    def _suspect(self) -> None:
        if time.monotonic() - self._tested_at_s > _MIN_SELF_TEST_PAUSE_S:
            self._suspicion.set()

    async def _repeat(self, self_test: SelfTest) -> None:
        healthy: bool | None = None
        while True:
            now_healthy = await self._passes(self_test, before=healthy)
            if now_healthy != healthy:
                healthy = now_healthy
                self._health.set(healthy)
                metrics.SERVING.labels(self.name).set(healthy)
                _log.info("serving" if healthy else "not serving", server=self.name, port=self.port)
                (self._passed.set if healthy else self._passed.clear)()
            self._tested_at_s = time.monotonic()
            self._suspicion.clear()
            try:
                async with asyncio.timeout(self.settings.self_test_interval_s):
                    await self._suspicion.wait()
            except TimeoutError:
                continue

    async def _passes(self, self_test: SelfTest, before: bool | None) -> bool:
        try:
            async with asyncio.timeout(self.settings.self_test_timeout_s):
                await self_test()
        except ResourceExhausted:
            # A full queue says that there is work, not that the work fails.
            return before or False
        except Exception:
            _log.exception("self-test failed", server=self.name)
            return False
        return True


def server_options(settings: ServerSettings) -> list[tuple[str, int]]:
    """How every server of Vitrine takes connections, pings and messages."""
    return [
        # A second process on the same port is a mistake that must be seen, not half of the calls going astray.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        # The interceptor measures answers, to name the limit and the way out.
        ("grpc.max_send_message_length", -1),
        ("grpc.keepalive_time_ms", round(KEEPALIVE_TIME_S * 1e3)),
        ("grpc.keepalive_timeout_ms", round(KEEPALIVE_TIMEOUT_S * 1e3)),
        # gRPC waits a minute for the ping itself, whatever keepalive says.
        ("grpc.http2.ping_timeout_ms", round(KEEPALIVE_TIMEOUT_S * 1e3)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", round(settings.min_ping_interval_s * 1e3)),
        ("grpc.max_connection_age_ms", round(settings.max_connection_age_s * 1e3)),
    ]


async def serve(
    name: str,
    settings: ServerSettings,
    services: Sequence[str],
    part: Part,
    open_door: Callable[[], Door] = service_door,
) -> None:
    """Serves until SIGINT or SIGTERM, then drains within the grace; a second signal cuts the grace short.

    The port is taken first and `part` opened after, so that health says NOT_SERVING while a model loads; `open_door`
    comes before both. Raises SystemExit(1), with the reason logged, when something cannot be opened.
    """
    allocator.keep_little()
    configure_logging(name, level=settings.log_level, style=settings.log_style)
    stopping = asyncio.Event()
    try:
        server = Server(name, settings, open_door())
    except VitrineError as error:
        _log.error("cannot serve", reason=error.reason, error=error.message)
        raise SystemExit(1) from None

    def stop() -> None:
        if stopping.is_set():
            hurried.append(asyncio.ensure_future(server.grpc.stop(0)))
        stopping.set()

    hurried: list[asyncio.Future[None]] = []
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        refuse_fork()
        await server.listen(services)
        if settings.metrics_port is not None:
            metrics.serve_metrics(settings.host, settings.metrics_port)
        _log.info("listening", host=settings.host, port=server.port)
        with ExitStack() as seen:
            if settings.debug_port is not None:
                seen.enter_context(debug_server(settings.debug_host, settings.debug_port, loop))
            seen.enter_context(exported_traces(name, TracingSettings()))
            await _serve_part(server, part, stopping)
        _log.info("stopped")
    except VitrineError as error:
        _log.error("cannot serve", reason=error.reason, error=error.message)
        await server.stop(0)
        raise SystemExit(1) from None
    except ValidationError:
        # Settings of a part, which whoever started this can tell of.
        await server.stop(0)
        raise


async def _serve_part(server: Server, part: Part, stopping: asyncio.Event) -> None:
    async def opened() -> None:
        async with part(server) as self_test:
            server.open(self_test)
            await stopping.wait()
            await server.stop(server.settings.grace_s)

    serving = asyncio.create_task(opened())
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if stopping.is_set() and not server.opened:
        serving.cancel()
        await asyncio.wait({serving})
        await server.stop(0)
        return
    await serving
