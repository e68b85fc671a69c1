"""How long an ingest goes on while the gateway is away or full."""

from cli.ingest.settings import IngestSettings
from cli.ingest.shown_run import Waits
from vitrine.client import Client, Patience, Retries

_LONGEST_WAIT_S = 10.0


def retries_of(settings: IngestSettings, waits: Waits) -> Retries:
    """Attempts without number, each for `call_timeout_s`; `waits` hears of each wait in seconds, and why."""
    return Retries(
        attempts=None,
        first_wait_s=settings.first_backoff_s,
        longest_wait_s=_LONGEST_WAIT_S,
        # One process that waits between its attempts is no storm.
        budget=None,
        attempt_timeout_s=settings.call_timeout_s,
        on_wait=waits,
    )


def client_of(settings: IngestSettings, waits: Waits) -> Client:
    """A client whose calls go on for `give_up_s`."""
    return Client(settings.target, timeout_s=settings.give_up_s, retries=retries_of(settings, waits))


def patience_of(settings: IngestSettings, waits: Waits) -> Patience:
    """The same of streams."""
    return Patience(
        give_up_s=settings.give_up_s,
        stream_timeout_s=settings.stream_timeout_s,
        first_wait_s=settings.first_backoff_s,
        longest_wait_s=_LONGEST_WAIT_S,
        on_wait=waits,
    )
