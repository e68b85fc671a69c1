"""The files of a page that the gateway serves: of its own host alone, without inline scripts or styles."""

from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

# Pictures come from where the catalogue says they are; all else from here alone.
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' https: http: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageFiles(StaticFiles):
    """A page's scripts, styles and pictures, with its headers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.lower().encode(), value.encode()) for name, value in PAGE_HEADERS.items()]
            await send(message)

        await super().__call__(scope, receive, with_headers)
