"""The shop of the recommendation tests, with reviews."""

from tests.gateway.recommendation.conftest import events_settings, open_stand, raw, stand, store_server

__all__ = ["events_settings", "open_stand", "raw", "stand", "store_server"]
