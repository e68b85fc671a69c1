"""The processes that `vitrine top` shows, read at one moment."""

from collections.abc import Sequence

from vitrine.client.settings import ClientSettings
from vitrine.errors import Unavailable
from vitrine.scrape import Scrape, Silent, read_processes


async def scraped(addresses: Sequence[str]) -> list[Scrape]:
    """What those that answer show, in order. Raises Unavailable, naming each and why, when none does."""
    found = await read_processes(addresses, ClientSettings())
    shown = [one for one in found if isinstance(one, Scrape)]
    if not shown:
        reasons = "; ".join(f"{one.address}: {one.reason}" for one in found if isinstance(one, Silent))
        raise Unavailable(f"no process shows its metrics ({reasons}); is Vitrine up, and on these ports? See --help")
    return shown
