"""How rows of event files become user events: Vitrine's own, GA4's BigQuery export, User Behavior Insights."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cli.events.layouts.ga4 import ga4_event
from cli.events.layouts.native import native_event
from cli.events.layouts.ubi import Ubi
from vitrine.user_event import UserEvent

# An event; a text that says what the row is when it is none of use; None for a row that only frames others.
# Raises InvalidArgument for an event that is wrong.
Layout = Callable[[Mapping[str, Any]], UserEvent | str | None]


def layout_of(name: str, path: Path) -> Layout:
    """The layout "vitrine", "ga4" or "ubi" for a file. Raises InvalidArgument when the file cannot be read."""
    if name == "ubi":
        return Ubi(path).event
    layouts: dict[str, Layout] = {"vitrine": native_event, "ga4": ga4_event}
    return layouts[name]
