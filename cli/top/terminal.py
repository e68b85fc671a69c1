"""`vitrine top`: reads the processes again and again and draws what changed."""

import asyncio
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live

from cli.top.frame import frame
from cli.top.scrape import scraped
from gateway.settings import GatewaySettings
from services.embedder.settings import EmbedderSettings
from services.ranker.settings import RankerSettings
from services.retriever.settings import RetrieverSettings
from vitrine.errors import Unavailable
from vitrine.metrics_window import Window
from vitrine.server_settings import ServerSettings


def addresses() -> list[str]:
    """Where the processes of this machine show their metrics, as their settings say."""
    gateway = GatewaySettings()
    parts: list[ServerSettings] = [EmbedderSettings(), RetrieverSettings(), RankerSettings()]
    first = f"{gateway.host}:{gateway.metrics_port or gateway.http_port}"
    return [first, *(f"{part.host}:{part.metrics_port}" for part in parts if part.metrics_port is not None)]


async def show(targets: Sequence[str], interval_s: float, *, once: bool) -> None:
    """Draws a frame each interval until interrupted; with `once` one, of all since the processes started.

    Raises Unavailable when no process answers at the start.
    """
    before = await scraped(targets)
    if once:
        # Wide enough that a pipe cuts no number off.
        console = Console()
        console = console if console.is_terminal else Console(width=160)
        console.print(frame(Window((), before)))
        return
    with Live(frame(Window((), before)), screen=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(interval_s)
            try:
                after = await scraped(targets)
            except Unavailable as error:
                live.update(error.message, refresh=True)
                continue
            live.update(frame(Window(before, after)), refresh=True)
            before = after
