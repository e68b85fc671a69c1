"""The storefront: a page at `/` over the same public API, its files beside this module, no request to another host."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from gateway.page_files import PAGE_HEADERS, PageFiles
from gateway.settings import GatewaySettings

_FOLDER = Path(__file__).parent / "storefront"


def storefront_routes(settings: GatewaySettings) -> list[BaseRoute]:
    """The page, its files, and where gRPC listens; none where `settings.storefront` is off."""
    if not settings.storefront:
        return []

    async def page(_request: Request) -> Response:
        return FileResponse(_FOLDER / "index.html", headers=PAGE_HEADERS)

    async def config(request: Request) -> Response:
        return JSONResponse({"grpc_port": settings.port, "tls": request.url.scheme == "https"}, headers=PAGE_HEADERS)

    return [
        Route("/", page),
        Route("/storefront/config.json", config),
        Mount("/storefront", PageFiles(directory=_FOLDER)),
    ]
