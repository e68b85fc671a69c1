"""The operators' page at `/ops`: it holds nothing itself, and calls OpsService and ReleaseService with a typed key."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from gateway.page_files import PAGE_HEADERS, PageFiles
from gateway.settings import GatewaySettings

_FOLDER = Path(__file__).parent / "page"


def ops_routes(settings: GatewaySettings) -> list[BaseRoute]:
    """The page and its files; none where `settings.ops` is off."""
    if not settings.ops:
        return []

    async def page(_request: Request) -> Response:
        return FileResponse(_FOLDER / "index.html", headers=PAGE_HEADERS)

    async def config(_request: Request) -> Response:
        return JSONResponse({"storefront": settings.storefront}, headers=PAGE_HEADERS)

    # What the page does not have itself, such as the common look, is the storefront's.
    return [
        Route("/ops", page),
        Route("/ops/", page),
        Route("/ops/config.json", config),
        Mount("/ops", PageFiles(directory=_FOLDER, packages=[("gateway", "storefront")])),
    ]
