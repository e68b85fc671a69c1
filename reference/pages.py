"""All reference pages, by their names in docs/."""

from reference.api import api_pages
from reference.commands import commands_page
from reference.metrics import metrics_page
from reference.settings import settings_page

_MARK = "<!-- Written by `make reference` from the code; change what it says there. -->\n\n"


def pages() -> dict[str, str]:
    """Markdown by name."""
    made = {
        "settings.md": settings_page(),
        **api_pages(),
        "metrics.md": metrics_page(),
        "commands.md": commands_page(),
    }
    return {name: _MARK + text for name, text in made.items()}
