"""The storefront: a page at `/` over the same public API, its files beside this module, no request to another host."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from gateway.settings import GatewaySettings

_FOLDER = Path(__file__).parent / "storefront"
# Pictures come from where the catalogue says they are; all else from here alone.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' https: http: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Files(StaticFiles):
    """The page's scripts, styles and pictures, with its headers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
            await send(message)

        await super().__call__(scope, receive, with_headers)


def storefront_routes(settings: GatewaySettings) -> list[BaseRoute]:
    """The page, its files, and where gRPC listens; none where `settings.storefront` is off."""
    if not settings.storefront:
        return []

    async def page(_request: Request) -> Response:
        return FileResponse(_FOLDER / "index.html", headers=_HEADERS)

    async def config(request: Request) -> Response:
        return JSONResponse({"grpc_port": settings.port, "tls": request.url.scheme == "https"}, headers=_HEADERS)

    return [
        Route("/", page),
        Route("/storefront/config.json", config),
        Mount("/storefront", _Files(directory=_FOLDER)),
    ]
